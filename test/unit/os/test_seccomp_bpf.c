/* SPDX-License-Identifier: Apache-2.0 */
/* The filter machine against the kernel's: the same programs, the same calls. */
#include "os/seccomp.h"
#include "os/seccomp_bpf.h"
#include "os/syscall.h"
#include "support.h"
#include <criterion/criterion.h>
#include <linux/audit.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NR          offsetof(struct seccomp_data, nr)
#define ARG(n)      offsetof(struct seccomp_data, args[n])
#define LD(at)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define LDI(k)      BPF_STMT(BPF_LD | BPF_IMM, (k))
#define LDXI(k)     BPF_STMT(BPF_LDX | BPF_IMM, (k))
#define RET(k)      BPF_STMT(BPF_RET | BPF_K, (k))
#define RETA        BPF_STMT(BPF_RET | BPF_A, 0)
#define ALU(op)     BPF_STMT(BPF_ALU | (op) | BPF_X, 0)
#define ALUK(op, k) BPF_STMT(BPF_ALU | (op) | BPF_K, (k))

#define PROGRAM(...)                                                                           \
    (struct sock_fprog)                                                                        \
    {                                                                                          \
        sizeof((struct sock_filter[]){__VA_ARGS__}) / sizeof(struct sock_filter),              \
            (struct sock_filter[])                                                             \
        {                                                                                      \
            __VA_ARGS__                                                                        \
        }                                                                                      \
    }

struct call {
    struct sock_fprog program;
    uint64_t args[6];
    volatile uint32_t *stage; /* 1: the filter is there; 2: the call came back */
};

static void try_call(void *arg)
{
    struct call *call = arg;

    *call->stage = 0;
    if (sm_sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        sm_sys(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &call->program, 0, 0) != 0)
        return;
    *call->stage = 1;
    sm_sys6(SYS_getppid, (long)call->args[0], (long)call->args[1], (long)call->args[2],
            (long)call->args[3], (long)call->args[4], (long)call->args[5]);
    *call->stage = 2;
    __builtin_trap(); /* The filter may refuse to let us exit. */
}

static volatile uint32_t *stage;

static void init(void)
{
    stage = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(stage != MAP_FAILED);
}

TestSuite(bpf, .init = init);

/* What the kernel does: -1 refuses the program, 1 kills, 0 does not. */
static int kernel_kills(struct call *call)
{
    call->stage = stage;
    in_child(try_call, call);
    return *stage == 0 ? -1 : *stage == 1;
}

static bool we_say(const struct call *call)
{
    struct seccomp_data data = {.nr = SYS_getppid, .arch = SM_AUDIT_ARCH};

    for (int i = 0; i < 6; i++)
        data.args[i] = call->args[i];
    return sm_bpf_kills(&call->program, &data);
}

static void agree(int line, struct call call)
{
    int kernel = kernel_kills(&call);

    cr_assert_neq(kernel, -1, "line %d: the kernel does not take the program", line);
    cr_assert_eq(we_say(&call), kernel, "line %d: the kernel says %d", line, kernel);
}
#define AGREES(program_, ...)                                                                  \
    agree(__LINE__, (struct call){.program = (program_), .args = {__VA_ARGS__}})

/* The program ends in this answer. */
static void answer(uint32_t action, bool kills)
{
    struct call call = {.program = PROGRAM(RET(action))};

    cr_assert_eq(we_say(&call), kills, "%x", action);
    AGREES(PROGRAM(RET(action)), 0);
    AGREES(PROGRAM(LDI(action), RETA), 0);
}

Test(bpf, answers)
{
    answer(SECCOMP_RET_ALLOW, false);
    answer(SECCOMP_RET_LOG, false);
    answer(SECCOMP_RET_ERRNO | 38, false);
    answer(SECCOMP_RET_TRACE, false);
    answer(SECCOMP_RET_KILL_PROCESS, true);
    answer(SECCOMP_RET_KILL_THREAD, true);
    answer(SECCOMP_RET_KILL_THREAD | 5, true);
    answer(SECCOMP_RET_TRAP, true);
    answer(SECCOMP_RET_TRAP | 7, true);
}

Test(bpf, unknown_answers)
{
    answer(0x12340000U, true);
    answer(0x7fff0000U - 0x10000U, true);
}

/* What kills if A is k when it ends */
#define KILL_IF(k)                                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, 1), RET(SECCOMP_RET_KILL_PROCESS),             \
        RET(SECCOMP_RET_ALLOW)

Test(bpf, loads)
{
    AGREES(PROGRAM(LD(NR), KILL_IF(SYS_getppid)), 0);
    AGREES(PROGRAM(LD(NR), KILL_IF(SYS_getpid)), 0);
    AGREES(PROGRAM(LD(4), KILL_IF(SM_AUDIT_ARCH)), 0);
    for (unsigned n = 0; n < 6; n++) {
        uint64_t value = 0x1111222200000000ULL * (n + 1) + n + 7;
        uint64_t a[6] = {0};
        a[n] = value;
        AGREES(PROGRAM(LD(ARG(n)), KILL_IF((uint32_t)value)), a[0], a[1], a[2], a[3], a[4],
               a[5]);
        AGREES(PROGRAM(LD(ARG(n) + 4), KILL_IF((uint32_t)(value >> 32))), a[0], a[1], a[2],
               a[3], a[4], a[5]);
    }
    AGREES(PROGRAM(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), KILL_IF(64)), 0);
    AGREES(PROGRAM(BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_MISC | BPF_TXA, 0),
                   KILL_IF(64)),
           0);
    AGREES(PROGRAM(LDI(5), BPF_STMT(BPF_ST, 15), LDI(0), BPF_STMT(BPF_LD | BPF_MEM, 15),
                   KILL_IF(5)),
           0);
    AGREES(PROGRAM(LDXI(5), BPF_STMT(BPF_STX, 3), BPF_STMT(BPF_LD | BPF_MEM, 3), KILL_IF(5)),
           0);
    AGREES(PROGRAM(LDI(6), BPF_STMT(BPF_MISC | BPF_TAX, 0), LDI(0),
                   BPF_STMT(BPF_MISC | BPF_TXA, 0), KILL_IF(6)),
           0);
}

static const uint16_t alu_ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR,
                                   BPF_AND, BPF_XOR, BPF_LSH, BPF_RSH};
#define ALU_OPS (sizeof(alu_ops) / sizeof(alu_ops[0]))

static uint32_t expected(uint16_t op, uint32_t a, uint32_t b)
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
        return a << b;
    default:
        return a >> b;
    }
}

Test(bpf, arithmetic)
{
    const uint32_t a = 0x80000423, b = 13;

    for (size_t i = 0; i < ALU_OPS; i++) {
        uint32_t want = expected(alu_ops[i], a, b);
        AGREES(PROGRAM(LDI(a), LDXI(b), ALU(alu_ops[i]), KILL_IF(want)), 0);
        AGREES(PROGRAM(LDI(a), ALUK(alu_ops[i], b), KILL_IF(want)), 0);
    }
    AGREES(PROGRAM(LDI(a), BPF_STMT(BPF_ALU | BPF_NEG, 0), KILL_IF(-a)), 0);
}

/* A program ends with answer 0, which kills the thread, where it divides by zero. */
Test(bpf, division_by_zero)
{
    AGREES(PROGRAM(LDI(8), LDXI(0), ALU(BPF_DIV), RET(SECCOMP_RET_ALLOW)), 0);
    AGREES(PROGRAM(LDI(8), LDXI(0), ALU(BPF_DIV), RET(SECCOMP_RET_KILL_PROCESS)), 0);
}

Test(bpf, wide_shifts)
{
    for (uint32_t by = 31; by < 70; by += 13) {
        AGREES(PROGRAM(LDI(1), LDXI(by), ALU(BPF_LSH), KILL_IF(0)), 0);
        AGREES(PROGRAM(LDI(1), LDXI(by), ALU(BPF_LSH), KILL_IF(1U << by % 32)), 0);
        AGREES(PROGRAM(LDI(~0U), LDXI(by), ALU(BPF_RSH), KILL_IF(0)), 0);
        AGREES(PROGRAM(LDI(~0U), LDXI(by), ALU(BPF_RSH), KILL_IF(~0U >> by % 32)), 0);
    }
}

Test(bpf, jumps)
{
    static const uint16_t ops[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};

    for (size_t i = 0; i < 4; i++) {
        for (uint32_t a = 3; a <= 5; a++) {
            AGREES(PROGRAM(LDI(a), BPF_JUMP(BPF_JMP | ops[i] | BPF_K, 4, 1, 0),
                           RET(SECCOMP_RET_ALLOW), RET(SECCOMP_RET_KILL_PROCESS)),
                   0);
            AGREES(PROGRAM(LDI(a), LDXI(4), BPF_JUMP(BPF_JMP | ops[i] | BPF_X, 0, 1, 0),
                           RET(SECCOMP_RET_ALLOW), RET(SECCOMP_RET_KILL_PROCESS)),
                   0);
        }
    }
    AGREES(PROGRAM(BPF_STMT(BPF_JMP | BPF_JA, 1), RET(SECCOMP_RET_ALLOW),
                   RET(SECCOMP_RET_KILL_PROCESS)),
           0);
}

/* Whatever the kernel would not take is said to kill; nothing is read outside of it. */
Test(bpf, invalid)
{
    static struct sock_filter filters[][2] = {
        {LD(64), RET(SECCOMP_RET_ALLOW)},
        {LD(61), RET(SECCOMP_RET_ALLOW)},
        {LD(0xfffffffc), RET(SECCOMP_RET_ALLOW)},
        {BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RET(SECCOMP_RET_ALLOW)},
        {BPF_STMT(BPF_LD | BPF_MEM, 16), RET(SECCOMP_RET_ALLOW)},
        {BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), RET(SECCOMP_RET_ALLOW)},
        {BPF_STMT(BPF_ST, 16), RET(SECCOMP_RET_ALLOW)},
        {BPF_STMT(BPF_STX, 0xffffffff), RET(SECCOMP_RET_ALLOW)},
        {BPF_STMT(BPF_JMP | BPF_JA, 1), RET(SECCOMP_RET_ALLOW)},
        {BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RET(SECCOMP_RET_ALLOW)},
        {LDI(0), LDI(0)},
    };

    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        struct call call = {.program = {2, filters[i]}};
        cr_assert_eq(kernel_kills(&call), -1, "%zu", i);
        cr_assert(we_say(&call), "%zu", i);
    }
    struct call empty = {.program = {0, filters[0]}};
    cr_assert_eq(kernel_kills(&empty), -1);
    cr_assert(we_say(&empty));
}

/* One instruction that the kernel takes; left: how many come after it */
static struct sock_filter random_step(uint64_t *random, unsigned left)
{
    static const uint16_t jumps[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
    uint64_t r = next_random(random);
    uint32_t k = (uint32_t)(r >> 32) >> (r >> 8 & 31);
    unsigned source = r & 1 ? BPF_X : BPF_K;
    unsigned far = left > 1 ? left - 1 : 1;

    switch (r >> 1 & 7) {
    case 0:
    case 1: /* not the instruction pointer */
        return (struct sock_filter)LD(r & 512 ? ARG(0) + k % 12 * 4 : k % 2 * 4);
    case 2:
        return (struct sock_filter)BPF_STMT((r & 512 ? BPF_LD : BPF_LDX) | BPF_IMM, k);
    case 3:
        return (struct sock_filter)BPF_STMT((r & 512 ? BPF_ST : BPF_STX), 0);
    case 4: {
        uint16_t op = alu_ops[(r >> 16) % ALU_OPS];
        if (op == BPF_LSH || op == BPF_RSH)
            k %= 32;
        return (struct sock_filter)BPF_STMT(BPF_ALU | op | source,
                                            source == BPF_K ? k + (op == BPF_DIV) : 0);
    }
    case 5:
        return (struct sock_filter)BPF_STMT(BPF_MISC | (r & 512 ? BPF_TAX : BPF_TXA), 0);
    default:
        return (struct sock_filter)BPF_JUMP(
            BPF_JMP | jumps[r >> 16 & 3] | source, source == BPF_K ? k : 0,
            (uint8_t)((r >> 20 & 0xff) % far), (uint8_t)((r >> 28 & 0xff) % far));
    }
}

/* A fork costs a tenth of a second under AddressSanitizer. */
#ifdef __SANITIZE_ADDRESS__
#define PROGRAMS 60
#else
#define PROGRAMS 600
#endif

Test(bpf, random_programs)
{
    static const uint32_t answers[] = {SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS,
                                       SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO};
    uint64_t random = 20;
    unsigned killed = 0, refused = 0;

    for (int i = 0; i < PROGRAMS; i++) {
        struct sock_filter filter[24];
        struct call call = {.program = {24, filter}};
        int kernel;
        /* The place for words must be written before it is read. */
        filter[0] = (struct sock_filter)BPF_STMT(BPF_ST, 0);
        for (unsigned n = 1; n < 20; n++)
            filter[n] = random_step(&random, 23 - n);
        for (unsigned n = 0; n < 4; n++)
            filter[20 + n] = (struct sock_filter)RET(answers[n]);
        for (int n = 0; n < 6; n++)
            call.args[n] = next_random(&random) >> (next_random(&random) & 63);
        kernel = kernel_kills(&call);
        killed += kernel == 1;
        refused += kernel == -1;
        if (kernel >= 0)
            cr_assert_eq(we_say(&call), kernel, "program %d: the kernel says %d", i, kernel);
    }
    cr_assert_eq(refused, 0);
    cr_assert(killed > PROGRAMS / 6 && killed < PROGRAMS - PROGRAMS / 6, "%u", killed);
}
