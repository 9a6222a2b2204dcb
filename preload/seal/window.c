/* SPDX-License-Identifier: Apache-2.0 */
#include "seal/window.h"

#if defined(__x86_64__)
#include "base/counters.h"
#include "libcrypto/registry.h"
#include "os/protection_key.h"
#include <x86intrin.h>

/* The assembly below has these numbers, too. Of all libcryptos: */
#define STUBS      2048
#define FREES      256 /* of these, the last ones, for functions that free something */
#define STUB_BYTES 16

/* The place that the assembly below has for a window on the stack. */
struct window {
    uint64_t since; /* by the processor's clock */
    bool opened;
};

extern SM_LOCAL char seal_stubs[];

/* Read by the assembly. seal_functions is the function of each stub. */
SM_FROM_ASM SM_LOCAL void *seal_functions[STUBS];
SM_FROM_ASM SM_LOCAL unsigned seal_adopted; /* threads with an opening without a window */
/* The first stubs that are not used yet, of both sorts */
static unsigned next_stub[2] = {0, STUBS - FREES};
static __thread bool adopted __attribute__((tls_model("initial-exec")));

SM_FROM_ASM SM_LOCAL void *seal_enter(unsigned number, struct window *window);
SM_FROM_ASM SM_LOCAL void seal_leave(struct window *window);
SM_FROM_ASM SM_LOCAL int seal_unwound(int version, int actions);

static void *stub_at(unsigned number)
{
    return seal_stubs + (size_t)number * STUB_BYTES;
}

void *window_stub_of(const void *function)
{
    for (unsigned frees = 0; frees < 2; frees++) {
        unsigned first = frees ? STUBS - FREES : 0, end = registry_count(&next_stub[frees]);
        for (unsigned i = first; i < end; i++) {
            if (seal_functions[i] == function)
                return stub_at(i);
        }
    }
    return NULL;
}

void *window_stub(void *function, bool frees)
{
    void *stub = window_stub_of(function);
    unsigned next = next_stub[frees];

    if (stub || next == (frees ? STUBS : STUBS - FREES))
        return stub;
    seal_functions[next] = function;
    __atomic_store_n(&next_stub[frees], next + 1, __ATOMIC_RELEASE);
    return stub_at(next);
}

/* libcrypto_choices makes calls of CRYPTO_malloc() and its family tell of ways out. */
static void count_adopted(unsigned n)
{
    __atomic_fetch_add(&seal_adopted, n, __ATOMIC_RELAXED);
    __atomic_fetch_add(&libcrypto_choices, n, __ATOMIC_RELAXED);
}

static bool adopted_end(void)
{
    bool was = adopted;

    if (was)
        count_adopted(-1U);
    adopted = false;
    return was;
}

/* Called in a closed thread, or while some thread has an opening that was adopted. */
void *seal_enter(unsigned number, struct window *window)
{
    /* An opening that was adopted ends with this window. */
    window->opened = adopted_end();
    window->opened |= sm_pku_open();
    window->since = __rdtsc();
    sm_count(&sm_stats.windows, window->opened);
    return seal_functions[number];
}

void seal_leave(struct window *window)
{
    window->opened |= adopted_end();
    if (window->opened)
        sm_count(&sm_stats.window_ticks, __rdtsc() - window->since);
    sm_pku_close(window->opened);
}

void window_adopt(void)
{
    if (!adopted)
        count_adopted(1);
    adopted = true;
}

void window_way_out(void)
{
    if (adopted_end())
        sm_pku_close(true);
}

void window_leave_by_jump(void)
{
    adopted_end();
    sm_pku_close(sm_pku_is_open());
}

#define UNWINDS 2 /* _UA_CLEANUP_PHASE */
#define GOES_ON 8 /* _URC_CONTINUE_UNWIND */

/* The stubs' personality routine: an exception, or a cancelled thread, leaves the window. */
int seal_unwound(int version, int actions)
{
    (void)version;
    if (actions & UNWINDS)
        window_leave_by_jump();
    return GOES_ON;
}

/*
 * The stubs, each for one function, which leave their number in r11, and their common part.
 *
 * Nothing to free: jumps to the function, which does nothing. OpenSSL frees NULL often.
 * Open already, and nothing adopted: jumps to the function, with all registers as they were
 * (saved in the red zone meanwhile). Otherwise calls seal_enter(), the function with a copy of
 * up to eight arguments on the stack, and seal_leave(). Nothing of the key stays in the
 * registers that a function may change.
 *
 * The frame, from rsp: 64 bytes of arguments, struct window (16), the argument registers.
 */
/* clang-format off */
__asm__(".pushsection .text\n"
        ".p2align 4\n"
        ".globl seal_stubs\n"
        ".hidden seal_stubs\n"
        ".type seal_stubs, @function\n"
        "seal_stubs:\n"
        "    .set number, 0\n"
        "    .rept 2048 - 256\n"
        "    .p2align 4\n"
        "    endbr64\n"
        "    movl $number, %r11d\n"
        "    jmp seal_common\n"
        "    .set number, number + 1\n"
        "    .endr\n"
        "    .rept 256\n"
        "    .p2align 4\n"
        "    endbr64\n"
        "    movl $number, %r11d\n"
        "    jmp seal_free\n"
        "    .set number, number + 1\n"
        "    .endr\n"
        ".size seal_stubs, . - seal_stubs\n"
        ".p2align 4\n"
        ".type seal_free, @function\n"
        "seal_free:\n"
        "    .cfi_startproc\n"
        "    testq %rdi, %rdi\n"
        "    jnz seal_common\n"
        "    leaq seal_functions(%rip), %r10\n"
        "    jmp *(%r10,%r11,8)\n"
        "    .cfi_endproc\n"
        ".size seal_free, . - seal_free\n"
        ".p2align 4\n"
        ".type seal_common, @function\n"
        "seal_common:\n"
        "    .cfi_startproc\n"
        "    .cfi_personality 0x1b, seal_unwound\n"
        "    movq %rax, -8(%rsp)\n"
        "    movq %rcx, -16(%rsp)\n"
        "    movq %rdx, -24(%rsp)\n"
        "    xorl %ecx, %ecx\n"
        "    " SM_READ_PKRU("%")
        "    testl sm_pku_mask(%rip), %eax\n"
        "    movq -24(%rsp), %rdx\n"
        "    movq -16(%rsp), %rcx\n"
        "    movq -8(%rsp), %rax\n"
        "    jnz 1f\n"
        "    cmpl $0, seal_adopted(%rip)\n"
        "    jne 1f\n"
        "    leaq seal_functions(%rip), %r10\n"
        "    jmp *(%r10,%r11,8)\n"
        "1:  pushq %rbp\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    .cfi_rel_offset %rbp, 0\n"
        "    movq %rsp, %rbp\n"
        "    .cfi_def_cfa_register %rbp\n"
        "    subq $144, %rsp\n"
        "    movq %rdi, -8(%rbp)\n"
        "    movq %rsi, -16(%rbp)\n"
        "    movq %rdx, -24(%rbp)\n"
        "    movq %rcx, -32(%rbp)\n"
        "    movq %r8, -40(%rbp)\n"
        "    movq %r9, -48(%rbp)\n"
        "    movq %rax, -56(%rbp)\n"
        "    movl %r11d, %edi\n"
        "    leaq 64(%rsp), %rsi\n"
        "    call seal_enter\n"
        "    movq %rax, %r11\n"
        "    movups 16(%rbp), %xmm0\n"
        "    movups %xmm0, (%rsp)\n"
        "    movups 32(%rbp), %xmm0\n"
        "    movups %xmm0, 16(%rsp)\n"
        "    movups 48(%rbp), %xmm0\n"
        "    movups %xmm0, 32(%rsp)\n"
        "    movups 64(%rbp), %xmm0\n"
        "    movups %xmm0, 48(%rsp)\n"
        "    movq -8(%rbp), %rdi\n"
        "    movq -16(%rbp), %rsi\n"
        "    movq -24(%rbp), %rdx\n"
        "    movq -32(%rbp), %rcx\n"
        "    movq -40(%rbp), %r8\n"
        "    movq -48(%rbp), %r9\n"
        "    movq -56(%rbp), %rax\n"
        "    call *%r11\n"
        "    movq %rax, -8(%rbp)\n"
        "    leaq 64(%rsp), %rdi\n"
        "    call seal_leave\n"
        "    movq -8(%rbp), %rax\n"
        "    xorl %ecx, %ecx\n"
        "    xorl %edx, %edx\n"
        "    xorl %esi, %esi\n"
        "    xorl %edi, %edi\n"
        "    xorl %r8d, %r8d\n"
        "    xorl %r9d, %r9d\n"
        "    xorl %r10d, %r10d\n"
        "    xorl %r11d, %r11d\n"
        "    leave\n"
        "    .cfi_def_cfa %rsp, 8\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size seal_common, . - seal_common\n"
        ".popsection\n");
/* clang-format on */
#else
void *window_stub(void *function, bool frees)
{
    (void)frees;
    return function;
}

void *window_stub_of(const void *function)
{
    (void)function;
    return NULL;
}

void window_adopt(void)
{
}

void window_way_out(void)
{
}

void window_leave_by_jump(void)
{
}
#endif
