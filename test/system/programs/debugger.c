/* SPDX-License-Identifier: Apache-2.0 */
/* Has a process that waits in read(2) make system calls, as a debugger does when it calls one
 * of its functions: the process writes memory of its own to a file, and goes on to wait.
 *
 *   debugger PID ADDRESS LENGTH FILE
 *
 * gdb cannot do that on each machine: gdb 13 does not know all registers of processors with
 * AMX. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#if defined(__riscv)
#include <asm/ptrace.h>
#endif

typedef struct user_regs_struct registers;

#if defined(__x86_64__)
enum { INSTRUCTION = 0x050f, INSTRUCTION_SIZE = 2 };
#define COUNTER(r) (r).rip
#define STACK(r)   (r).rsp
#define RESULT(r)  (r).rax

static void set_call(registers *r, long number, const long *arguments)
{
    r->orig_rax = (unsigned long)-1; /* nothing to restart */
    r->rax = (unsigned long)number;
    r->rdi = (unsigned long)arguments[0];
    r->rsi = (unsigned long)arguments[1];
    r->rdx = (unsigned long)arguments[2];
    r->r10 = (unsigned long)arguments[3];
}
#elif defined(__aarch64__)
enum { INSTRUCTION = 0xd4000001, INSTRUCTION_SIZE = 4 };
#define COUNTER(r) (r).pc
#define STACK(r)   (r).sp
#define RESULT(r)  (r).regs[0]

static void set_call(registers *r, long number, const long *arguments)
{
    r->regs[8] = (unsigned long)number;
    for (int i = 0; i < 4; i++)
        r->regs[i] = (unsigned long)arguments[i];
}
#else
enum { INSTRUCTION = 0x73, INSTRUCTION_SIZE = 4 };
#define COUNTER(r) (r).pc
#define STACK(r)   (r).sp
#define RESULT(r)  (r).a0

static void set_call(registers *r, long number, const long *arguments)
{
    r->a7 = (unsigned long)number;
    r->a0 = (unsigned long)arguments[0];
    r->a1 = (unsigned long)arguments[1];
    r->a2 = (unsigned long)arguments[2];
    r->a3 = (unsigned long)arguments[3];
}
#endif

static pid_t traced;
static registers before;
static bool attached; /* and before is known */

/* The process goes on as it was, whatever has failed here. */
static void must(bool good, const char *what)
{
    struct iovec vector = {&before, sizeof(before)};

    if (good)
        return;
    fprintf(stderr, "debugger: %s: %s\n", what, strerror(errno));
    if (attached)
        ptrace(PTRACE_SETREGSET, traced, NT_PRSTATUS, &vector);
    ptrace(PTRACE_DETACH, traced, NULL, NULL);
    exit(1);
}

static void get(registers *r)
{
    struct iovec vector = {r, sizeof(*r)};

    must(ptrace(PTRACE_GETREGSET, traced, NT_PRSTATUS, &vector) == 0, "reading registers");
}

static void set(registers *r)
{
    struct iovec vector = {r, sizeof(*r)};

    must(ptrace(PTRACE_SETREGSET, traced, NT_PRSTATUS, &vector) == 0, "setting registers");
}

static void wait_for_stop(void)
{
    int status;

    must(waitpid(traced, &status, 0) == traced && WIFSTOPPED(status), "waiting");
}

static bool is_instruction(unsigned long at)
{
    unsigned long word;

    errno = 0;
    word = (unsigned long)ptrace(PTRACE_PEEKTEXT, traced, at, NULL);
    return errno == 0 &&
           (word & (INSTRUCTION_SIZE == 2 ? 0xffffUL : 0xffffffffUL)) == INSTRUCTION;
}

/* The instruction of the call that the process waits in: some kernels have gone back to it
 * already. */
static unsigned long instruction(void)
{
    unsigned long at = COUNTER(before);

    if (!is_instruction(at))
        at -= INSTRUCTION_SIZE;
    must(is_instruction(at), "the process waits in no system call");
    return at;
}

static long call(long number, const long *arguments, const char *what)
{
    registers now = before;

    COUNTER(now) = instruction();
    set_call(&now, number, arguments);
    set(&now);
    /* To its beginning, and to its end. */
    for (int i = 0; i < 2; i++) {
        must(ptrace(PTRACE_SYSCALL, traced, NULL, NULL) == 0, "going on");
        wait_for_stop();
    }
    get(&now);
    errno = -(int)(long)RESULT(now);
    must((long)RESULT(now) >= 0, what);
    return (long)RESULT(now);
}

/* Writes a text below what the process uses of its stack. */
static unsigned long put(const char *text)
{
    unsigned long at = (STACK(before) - 4096) & ~7UL;
    size_t size = strlen(text) + 1;

    for (size_t i = 0; i < size; i += sizeof(long)) {
        long word = 0;
        memcpy(&word, text + i, size - i < sizeof(word) ? size - i : sizeof(word));
        must(ptrace(PTRACE_POKEDATA, traced, at + i, word) == 0, "writing to memory");
    }
    return at;
}

int main(int argc, char **argv)
{
    long fd, length;

    if (argc != 5 || strlen(argv[4]) > 2048) {
        fprintf(stderr, "usage: %s PID ADDRESS LENGTH FILE\n", argv[0]);
        return 2;
    }
    traced = (pid_t)strtol(argv[1], NULL, 10);
    length = strtol(argv[3], NULL, 10);
    must(ptrace(PTRACE_ATTACH, traced, NULL, NULL) == 0, "attaching");
    wait_for_stop();
    get(&before);
    attached = true;
    fd = call(SYS_openat,
              (long[]){AT_FDCWD, (long)put(argv[4]), O_CREAT | O_WRONLY | O_CLOEXEC, 0600},
              "openat");
    length -= call(SYS_write, (long[]){fd, strtol(argv[2], NULL, 0), length, 0}, "write");
    call(SYS_close, (long[]){fd, 0, 0, 0}, "close");
    set(&before);
    must(ptrace(PTRACE_DETACH, traced, NULL, NULL) == 0, "letting go");
    return length != 0;
}
