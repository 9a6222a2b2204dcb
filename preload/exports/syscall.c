/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes prctl() and syscall(): the preload prepares for a seccomp filter before it takes
 * effect, puts secret pages under memory that a libcrypto locks, and copies the secrets in a
 * fork by system call as in fork(). All other calls go to the kernel unchanged.
 */
#include "os/syscall.h"
#include "base/common.h"
#include "exports/mlock.h"
#include "fork/fork.h"
#include "os/readable.h"
#include "process/sandbox.h"
#include <errno.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>

/* Called by the assembly below. */
SM_FROM_ASM long preload_filtering_syscall(long nr, long a, long b, long c, long d, long e,
                                           long f);
SM_FROM_ASM long preload_forking_syscall(long nr, long a, long b, long c, long d, long e,
                                         long f);
SM_FROM_ASM bool preload_is_fork(long nr, long a, long b);
SM_FROM_ASM long preload_syscall_error(long result);

long preload_syscall_error(long result)
{
    errno = (int)-result;
    return -1;
}

static long checked(long result)
{
    return (unsigned long)result > (unsigned long)-4096 ? preload_syscall_error(result)
                                                        : result;
}

static bool filters(long nr, long a, const struct sock_fprog **program, long b, long c)
{
    if (nr == SYS_prctl && a == PR_SET_SECCOMP &&
        (b == SECCOMP_MODE_STRICT || b == SECCOMP_MODE_FILTER)) {
        *program = b == SECCOMP_MODE_FILTER ? (const struct sock_fprog *)c : NULL;
        return b == SECCOMP_MODE_STRICT || c;
    }
    if (nr == SYS_seccomp && a == SECCOMP_SET_MODE_FILTER) {
        *program = (const struct sock_fprog *)c;
        return c != 0;
    }
    *program = NULL;
    return nr == SYS_seccomp && a == SECCOMP_SET_MODE_STRICT;
}

long preload_filtering_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    const struct sock_fprog *program;
    struct sm_seal seal;
    bool seals = filters(nr, a, &program, b, c);
    int taken = MEMLOCK_LEFT;
    long result;

    if (nr == SYS_mlock || nr == SYS_mlock2)
        taken = memlock_take(__builtin_return_address(0), (const void *)a, (size_t)b,
                             __builtin_frame_address(0));
    if (taken == MEMLOCK_TAKEN)
        return 0;
    if (seals)
        sm_sandbox_prepare(&seal, program);
    result = sm_sys6(nr, a, b, c, d, e, f);
    if (seals)
        sm_sandbox_confirm(&seal, result >= 0);
    memlock_left(taken, (size_t)b, (int)result);
    return checked(result);
}

#define UNLIKE_FORK (CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_SETTLS)

/*
 * Returns true if a clone or clone3 does what fork() does: other memory and other descriptors,
 * on the same stack, with the same thread-local variables, and the parent continues at once.
 */
bool preload_is_fork(long nr, long a, long b)
{
    struct clone_args args = {.flags = (uint64_t)a, .stack = (uint64_t)b};

    if (nr == SYS_clone3) {
        if ((size_t)b < CLONE_ARGS_SIZE_VER0 || !sm_pages_readable((void *)a, (size_t)b))
            return false;
        args.flags = ((const struct clone_args *)a)->flags;
        args.stack = ((const struct clone_args *)a)->stack;
    }
    return !(args.flags & UNLIKE_FORK) && !args.stack;
}

long preload_forking_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    long result;

    sm_fork_begin();
    result = sm_sys6(nr, a, b, c, d, e, f);
    sm_fork_end(result);
    return checked(result);
}

SM_EXPORT int prctl(int option, ...)
{
    va_list args;
    long a, b, c, d;

    va_start(args, option);
    a = va_arg(args, long);
    b = va_arg(args, long);
    c = va_arg(args, long);
    d = va_arg(args, long);
    va_end(args);
    return (int)preload_filtering_syscall(SYS_prctl, option, a, b, c, d, 0);
}

/*
 * syscall() is written in assembly because a program may make a vfork with it: the child
 * returns first, and would destroy a C frame that the parent still needs.
 */
#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

/* clang-format off */
#if defined(__x86_64__)
__asm__(".pushsection .text\n"
        ".globl syscall\n"
        ".type syscall, @function\n"
        "syscall:\n"
        "    .cfi_startproc\n"
        "    endbr64\n"
        "    cmpl $" TEXT(__NR_seccomp) ", %edi\n"
        "    je preload_filtering_syscall\n"
        "    cmpl $" TEXT(__NR_prctl) ", %edi\n"
        "    je preload_filtering_syscall\n"
        "    cmpl $" TEXT(__NR_mlock) ", %edi\n"
        "    je preload_filtering_syscall\n"
        "    cmpl $" TEXT(__NR_mlock2) ", %edi\n"
        "    je preload_filtering_syscall\n"
        "    cmpl $" TEXT(__NR_fork) ", %edi\n"
        "    je preload_forking_syscall\n"
        "    cmpl $" TEXT(__NR_clone) ", %edi\n"
        "    je 2f\n"
        "    cmpl $" TEXT(__NR_clone3) ", %edi\n"
        "    je 2f\n"
        "3:  movq %rdi, %rax\n"
        "    movq %rsi, %rdi\n"
        "    movq %rdx, %rsi\n"
        "    movq %rcx, %rdx\n"
        "    movq %r8, %r10\n"
        "    movq %r9, %r8\n"
        "    movq 8(%rsp), %r9\n"
        "    syscall\n"
        "    cmpq $-4096, %rax\n"
        "    ja 1f\n"
        "    ret\n"
        "1:  movq %rax, %rdi\n"
        "    jmp preload_syscall_error\n"
        "2:  pushq %rdi\n"
        "    pushq %rsi\n"
        "    pushq %rdx\n"
        "    pushq %rcx\n"
        "    pushq %r8\n"
        "    pushq %r9\n"
        "    subq $8, %rsp\n"
        "    .cfi_adjust_cfa_offset 56\n"
        "    call preload_is_fork\n"
        "    addq $8, %rsp\n"
        "    popq %r9\n"
        "    popq %r8\n"
        "    popq %rcx\n"
        "    popq %rdx\n"
        "    popq %rsi\n"
        "    popq %rdi\n"
        "    .cfi_adjust_cfa_offset -56\n"
        "    testb %al, %al\n"
        "    jnz preload_forking_syscall\n"
        "    jmp 3b\n"
        "    .cfi_endproc\n"
        ".size syscall, .-syscall\n"
        ".popsection\n");
#elif defined(__riscv)
__asm__(".pushsection .text\n"
        ".globl syscall\n"
        ".type syscall, @function\n"
        "syscall:\n"
        "    .cfi_startproc\n"
        "    sext.w t0, a0\n"
        "    li t1, " TEXT(__NR_seccomp) "\n"
        "    beq t0, t1, 1f\n"
        "    li t1, " TEXT(__NR_prctl) "\n"
        "    beq t0, t1, 1f\n"
        "    li t1, " TEXT(__NR_mlock) "\n"
        "    beq t0, t1, 1f\n"
        "    li t1, " TEXT(__NR_mlock2) "\n"
        "    beq t0, t1, 1f\n"
        "    li t1, " TEXT(__NR_clone) "\n"
        "    beq t0, t1, 2f\n"
        "    li t1, " TEXT(__NR_clone3) "\n"
        "    beq t0, t1, 2f\n"
        "3:  mv a7, a0\n"
        "    mv a0, a1\n"
        "    mv a1, a2\n"
        "    mv a2, a3\n"
        "    mv a3, a4\n"
        "    mv a4, a5\n"
        "    mv a5, a6\n"
        "    ecall\n"
        "    li t0, -4096\n"
        "    bgtu a0, t0, 4f\n"
        "    ret\n"
        "4:  tail preload_syscall_error\n"
        "1:  tail preload_filtering_syscall\n"
        "2:  addi sp, sp, -64\n"
        "    .cfi_def_cfa_offset 64\n"
        "    sd ra, 56(sp)\n"
        "    .cfi_offset ra, -8\n"
        "    sd a0, 0(sp)\n"
        "    sd a1, 8(sp)\n"
        "    sd a2, 16(sp)\n"
        "    sd a3, 24(sp)\n"
        "    sd a4, 32(sp)\n"
        "    sd a5, 40(sp)\n"
        "    sd a6, 48(sp)\n"
        "    call preload_is_fork\n"
        "    andi t0, a0, 255\n"
        "    ld a0, 0(sp)\n"
        "    ld a1, 8(sp)\n"
        "    ld a2, 16(sp)\n"
        "    ld a3, 24(sp)\n"
        "    ld a4, 32(sp)\n"
        "    ld a5, 40(sp)\n"
        "    ld a6, 48(sp)\n"
        "    ld ra, 56(sp)\n"
        "    .cfi_restore ra\n"
        "    addi sp, sp, 64\n"
        "    .cfi_def_cfa_offset 0\n"
        "    beqz t0, 3b\n"
        "    tail preload_forking_syscall\n"
        "    .cfi_endproc\n"
        ".size syscall, .-syscall\n"
        ".popsection\n");
#else
__asm__(".pushsection .text\n"
        ".globl syscall\n"
        ".type syscall, %function\n"
        "syscall:\n"
        "    .cfi_startproc\n"
        "    hint #34\n" /* bti c */
        "    cmp w0, #" TEXT(__NR_seccomp) "\n"
        "    b.eq preload_filtering_syscall\n"
        "    cmp w0, #" TEXT(__NR_prctl) "\n"
        "    b.eq preload_filtering_syscall\n"
        "    cmp w0, #" TEXT(__NR_mlock) "\n"
        "    b.eq preload_filtering_syscall\n"
        "    cmp w0, #" TEXT(__NR_mlock2) "\n"
        "    b.eq preload_filtering_syscall\n"
        "    cmp w0, #" TEXT(__NR_clone) "\n"
        "    b.eq 2f\n"
        "    cmp w0, #" TEXT(__NR_clone3) "\n"
        "    b.eq 2f\n"
        "3:  mov x8, x0\n"
        "    mov x0, x1\n"
        "    mov x1, x2\n"
        "    mov x2, x3\n"
        "    mov x3, x4\n"
        "    mov x4, x5\n"
        "    mov x5, x6\n"
        "    svc #0\n"
        "    cmn x0, #4095\n"
        "    b.hs preload_syscall_error\n"
        "    ret\n"
        "2:  stp x29, x30, [sp, #-80]!\n"
        "    .cfi_adjust_cfa_offset 80\n"
        "    .cfi_rel_offset x29, 0\n"
        "    .cfi_rel_offset x30, 8\n"
        "    stp x0, x1, [sp, #16]\n"
        "    stp x2, x3, [sp, #32]\n"
        "    stp x4, x5, [sp, #48]\n"
        "    str x6, [sp, #64]\n"
        "    bl preload_is_fork\n"
        "    mov w9, w0\n"
        "    ldp x0, x1, [sp, #16]\n"
        "    ldp x2, x3, [sp, #32]\n"
        "    ldp x4, x5, [sp, #48]\n"
        "    ldr x6, [sp, #64]\n"
        "    ldp x29, x30, [sp], #80\n"
        "    .cfi_adjust_cfa_offset -80\n"
        "    .cfi_restore x29\n"
        "    .cfi_restore x30\n"
        "    tst w9, #255\n"
        "    b.ne preload_forking_syscall\n"
        "    b 3b\n"
        "    .cfi_endproc\n"
        ".size syscall, .-syscall\n"
        ".popsection\n");
#endif
/* clang-format on */
