/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The evaluation of seccomp filters, against the kernel's. An input is a system call and a
 * classic BPF program; the program is installed in a child, which makes the call. The child
 * shares this process's memory, because a fork under AddressSanitizer takes a hundred times as
 * long.
 */
#include "harness.h"
#include "os/seccomp.h"
#include "os/seccomp_bpf.h"
#include "os/syscall.h"
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { PROGRAM_MOST = 96, STACK = 64 * 1024 };

struct call {
    int nr;
    uint64_t args[6];
    struct sock_filter filter[PROGRAM_MOST];
    struct sock_fprog program;
};

/* How far the child came. */
static volatile enum { STARTED, INSTALLED, RETURNED } stage;

static const int harmless_calls[] = {SYS_getppid, SYS_getuid, SYS_getgid, SYS_getpgid};

/* A value of k: a small number, any number, the answer of a filter, or a word of the call. */
static uint32_t operand(struct input *input)
{
    static const uint32_t answers[] = {
        SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
        SECCOMP_RET_ERRNO,        SECCOMP_RET_TRACE,       SECCOMP_RET_LOG,
        SECCOMP_RET_ALLOW,        SECCOMP_RET_USER_NOTIF,
    };
    unsigned how = input_byte(input);

    switch (how & 3) {
    case 0:
        return how >> 2;
    case 1:
        return (uint32_t)input_number(input, 4);
    case 2:
        return answers[how >> 2 & 7] + (how >> 5);
    default:
        return (how >> 2 & 15) * 4;
    }
}

/* Most of the codes are those that the kernel takes; the others are any. */
static uint16_t code_of(struct input *input)
{
    static const uint16_t codes[] = {
        BPF_LD | BPF_W | BPF_ABS,
        BPF_LD | BPF_IMM,
        BPF_LDX | BPF_IMM,
        BPF_LD | BPF_W | BPF_LEN,
        BPF_LDX | BPF_W | BPF_LEN,
        BPF_LD | BPF_MEM,
        BPF_LDX | BPF_MEM,
        BPF_ST,
        BPF_STX,
        BPF_MISC | BPF_TAX,
        BPF_MISC | BPF_TXA,
        BPF_ALU | BPF_NEG,
        BPF_RET | BPF_K,
        BPF_RET | BPF_A,
        BPF_JMP | BPF_JA,
    };
    static const uint16_t two_sources[] = {
        BPF_ALU | BPF_ADD,  BPF_ALU | BPF_SUB, BPF_ALU | BPF_MUL, BPF_ALU | BPF_DIV,
        BPF_ALU | BPF_AND,  BPF_ALU | BPF_OR,  BPF_ALU | BPF_XOR, BPF_ALU | BPF_LSH,
        BPF_ALU | BPF_RSH,  BPF_JMP | BPF_JEQ, BPF_JMP | BPF_JGT, BPF_JMP | BPF_JGE,
        BPF_JMP | BPF_JSET,
    };
    const unsigned number = sizeof(codes) / sizeof(codes[0]);
    const unsigned more = sizeof(two_sources) / sizeof(two_sources[0]);
    unsigned which = input_byte(input);

    if (which == 255)
        return (uint16_t)input_number(input, 2);
    which %= number + 2 * more;
    if (which < number)
        return codes[which];
    which -= number;
    return two_sources[which / 2] | (which & 1 ? BPF_X : BPF_K);
}

static void read_program(struct call *call, struct input *input)
{
    unsigned count = 0;

    /* The kernel refuses a program that reads a word of memory before it writes there. */
    for (unsigned word = 0; input_byte(input) & 1 && word < BPF_MEMWORDS; word++)
        call->filter[count++] = (struct sock_filter)BPF_STMT(BPF_ST, word);
    while (input->left > 0 && count < PROGRAM_MOST - 2) {
        struct sock_filter *next = &call->filter[count++];
        next->code = code_of(input);
        next->k = operand(input);
        if (BPF_CLASS(next->code) == BPF_JMP && BPF_OP(next->code) != BPF_JA) {
            next->jt = (uint8_t)(input_byte(input) & 15);
            next->jf = (uint8_t)(input_byte(input) & 15);
        }
    }
    /* A jump that goes too far would be refused: most end at one of the last two. */
    for (unsigned i = 0; i < count; i++) {
        struct sock_filter *f = &call->filter[i];
        unsigned far = count + 1 - i;
        if (BPF_CLASS(f->code) != BPF_JMP)
            continue;
        f->jt = (uint8_t)(f->jt < far ? f->jt : far - 1);
        f->jf = (uint8_t)(f->jf < far ? f->jf : far - 1);
        if (BPF_OP(f->code) == BPF_JA && f->k < 256)
            f->k = f->k < far ? f->k : far - 1;
    }
    call->filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
    call->filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    call->program = (struct sock_fprog){(unsigned short)count, call->filter};
}

/*
 * Signals that libFuzzer catches end this process, and only it. Without AddressSanitizer, which
 * would make system calls before the trap.
 */
__attribute__((no_sanitize("address"))) static int try_call(void *arg)
{
    static const int caught[] = {SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    static const unsigned long defaults[4];
    struct call *call = arg;

    for (unsigned i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        sm_sys(SYS_rt_sigaction, caught[i], defaults, NULL, 8);
    if (sm_sys(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &call->program, 0, 0) != 0)
        sm_sys(SYS_exit_group, 0);
    stage = INSTALLED;
    sm_sys6(call->nr, (long)call->args[0], (long)call->args[1], (long)call->args[2],
            (long)call->args[3], (long)call->args[4], (long)call->args[5]);
    stage = RETURNED;
    sm_sys(SYS_exit_group, 0);
    __builtin_trap(); /* The filter may refuse the exit. */
}

static void run_child(struct call *call)
{
    static char stack[STACK] __attribute__((aligned(16)));
    int pid;

    stage = STARTED;
    pid = clone(try_call, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, call);
    EXPECT(pid > 0, "clone");
    while (waitpid(pid, NULL, __WALL) != pid)
        ;
}

/* Whether the program looks at the address of the call's instruction, which is not known. */
static bool looks_at_address(const struct call *call)
{
    for (unsigned i = 0; i < call->program.len; i++) {
        const struct sock_filter *f = &call->filter[i];
        if (f->code == (BPF_LD | BPF_W | BPF_ABS) && (f->k == 8 || f->k == 12))
            return true;
    }
    return false;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    /* 1 byte also keeps a core dump from a program that takes them (core(5)). */
    const struct rlimit no_core = {1, 1};

    (void)argc, (void)argv;
    setrlimit(RLIMIT_CORE, &no_core);
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct call call;
    struct input input = {data, size};
    struct seccomp_data seen;
    unsigned shape = input_byte(&input);
    bool kills;

    memset(&call, 0, sizeof(call));
    call.nr = harmless_calls[shape & 3];
    for (unsigned i = 0; i < 6; i++)
        call.args[i] = shape >> (2 + i) & 1 ? input_number(&input, 8) : i;
    read_program(&call, &input);
    seen = (struct seccomp_data){.nr = call.nr, .arch = SM_AUDIT_ARCH};
    memcpy(seen.args, call.args, sizeof(seen.args));
    kills = sm_bpf_kills(&call.program, &seen);
    sm_seccomp_evaluate(&call.program);
    if (looks_at_address(&call))
        return -1;
    run_child(&call);
    EXPECT(stage == STARTED || kills == (stage == INSTALLED), "the kernel %s, and here it %s",
           stage == INSTALLED ? "kills" : "does not kill", kills ? "kills" : "does not");
    return stage == STARTED ? -1 : 0;
}
