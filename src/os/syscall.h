/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls without the C library: they keep errno, are no cancellation points, and cannot
 * be interposed. Each returns the kernel's result, a negative errno value on failure.
 */
#ifndef SM_OS_SYSCALL_H
#define SM_OS_SYSCALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

#if defined(__x86_64__)
static inline long sm_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
    long ret;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}
#elif defined(__aarch64__)
static inline long sm_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory", "cc");
    return x0;
}
#elif defined(__riscv) && __riscv_xlen == 64
static inline long sm_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long a7 __asm__("a7") = nr;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;
    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
                     : "memory");
    return a0;
}
#else
#error "how does this processor call the kernel?"
#endif

#define SM_SYS_ARGS_(nr, a, b, c, d, e, f, ...)                                                \
    sm_sys6((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* Whether a system call's result is a negative errno value. */
static inline bool sm_failed(long result)
{
    return (unsigned long)result > (unsigned long)-4096;
}

/* sm_sys(SYS_close, fd): missing arguments are zero. */
#define sm_sys(...) SM_SYS_ARGS_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

#endif
