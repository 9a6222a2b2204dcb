/* SPDX-License-Identifier: Apache-2.0 */
#include "os/seccomp_bpf.h"
#include <string.h>

struct machine {
    uint32_t a, x, mem[BPF_MEMWORDS];
};

static uint32_t alu(uint16_t op, uint32_t a, uint32_t b)
{
    switch (op) {
    case BPF_ADD:
        return a + b;
    case BPF_SUB:
        return a - b;
    case BPF_MUL:
        return a * b;
    case BPF_DIV:
        return a / b;
    case BPF_OR:
        return a | b;
    case BPF_AND:
        return a & b;
    case BPF_XOR:
        return a ^ b;
    case BPF_LSH:
        return a << (b & 31);
    case BPF_RSH:
        return a >> (b & 31);
    default: /* BPF_NEG */
        return -a;
    }
}

static bool holds(uint16_t op, uint32_t a, uint32_t b)
{
    switch (op) {
    case BPF_JEQ:
        return a == b;
    case BPF_JGT:
        return a > b;
    case BPF_JGE:
        return a >= b;
    default: /* BPF_JSET */
        return (a & b) != 0;
    }
}

static bool bpf_load(struct machine *m, const struct sock_filter *f,
                     const struct seccomp_data *data, uint32_t *out)
{
    switch (BPF_MODE(f->code)) {
    case BPF_ABS:
        if (f->k > sizeof(*data) - sizeof(uint32_t))
            return false;
        memcpy(out, (const char *)data + f->k, sizeof(uint32_t));
        return true;
    case BPF_IMM:
        *out = f->k;
        return true;
    case BPF_LEN:
        *out = sizeof(*data);
        return true;
    case BPF_MEM:
        if (f->k >= BPF_MEMWORDS)
            return false;
        *out = m->mem[f->k];
        return true;
    default:
        return false;
    }
}

/* Executes one instruction. Returns false if it is not valid. */
static bool step(struct machine *m, const struct sock_filter *f,
                 const struct seccomp_data *data, size_t *pc)
{
    uint32_t operand = BPF_SRC(f->code) == BPF_X ? m->x : f->k;

    switch (BPF_CLASS(f->code)) {
    case BPF_LD:
        return bpf_load(m, f, data, &m->a);
    case BPF_LDX:
        return bpf_load(m, f, data, &m->x);
    case BPF_ST:
    case BPF_STX:
        if (f->k >= BPF_MEMWORDS)
            return false;
        m->mem[f->k] = BPF_CLASS(f->code) == BPF_ST ? m->a : m->x;
        return true;
    case BPF_ALU:
        if (BPF_OP(f->code) == BPF_DIV && operand == 0)
            return false; /* The kernel ends the filter with 0, which kills. */
        m->a = alu(BPF_OP(f->code), m->a, operand);
        return true;
    case BPF_JMP:
        if (BPF_OP(f->code) == BPF_JA)
            *pc += f->k;
        else
            *pc += holds(BPF_OP(f->code), m->a, operand) ? f->jt : f->jf;
        return true;
    case BPF_MISC:
        if (BPF_MISCOP(f->code) == BPF_TAX)
            m->x = m->a;
        else
            m->a = m->x;
        return true;
    default:
        return false;
    }
}

/* The kernel kills for unknown actions. */
static bool harmless(uint32_t action)
{
    return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG ||
           action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE ||
           action == SECCOMP_RET_USER_NOTIF;
}

bool sm_bpf_kills(const struct sock_fprog *program, const struct seccomp_data *data)
{
    struct machine m = {0};

    /* Jumps only go forward, so the loop ends. */
    for (size_t pc = 0; pc < program->len; pc++) {
        const struct sock_filter *f = &program->filter[pc];
        if (BPF_CLASS(f->code) == BPF_RET) {
            uint32_t action = BPF_RVAL(f->code) == BPF_A ? m.a : f->k;
            return !harmless(action & SECCOMP_RET_ACTION_FULL);
        }
        if (!step(&m, f, data, &pc))
            return true;
    }
    return true;
}
