/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes functions of the dynamic linker that depend on their caller. The preload's
 * function answers the call, or passes it on to the C library unchanged, with the caller's
 * return address on the stack.
 */
#ifndef PRELOAD_LOADER_TAIL_CALL_H
#define PRELOAD_LOADER_TAIL_CALL_H

/* Returned in two registers. */
struct interposed {
    void *result;
    void *next; /* not NULL: the function to call with the same arguments */
};

/*
 * Defines name(a, b, c, …). It calls struct interposed preload_NAME(a, b, c, caller), which
 * decides what happens to the call. The function that comes next gets all arguments, also those
 * behind the third.
 */
/* clang-format off */
#if defined(__x86_64__)
#define INTERPOSE_OR_TAIL_CALL(name)                                                                \
    __asm__(".pushsection .text\n"                                                             \
            ".globl " #name "\n"                                                               \
            ".type " #name ", @function\n"                                                     \
            #name ":\n"                                                                        \
            "    .cfi_startproc\n"                                                             \
            "    endbr64\n"                                                                    \
            "    pushq %rdi\n"                                                                 \
            "    .cfi_adjust_cfa_offset 8\n"                                                   \
            "    pushq %rsi\n"                                                                 \
            "    .cfi_adjust_cfa_offset 8\n"                                                   \
            "    pushq %rdx\n"                                                                 \
            "    .cfi_adjust_cfa_offset 8\n"                                                   \
            "    pushq %rcx\n"                                                                 \
            "    .cfi_adjust_cfa_offset 8\n"                                                   \
            "    pushq %r8\n"                                                                  \
            "    .cfi_adjust_cfa_offset 8\n"                                                   \
            "    pushq %r9\n"                                                                  \
            "    .cfi_adjust_cfa_offset 8\n"                                                   \
            "    pushq %rax\n" /* aligns the stack */                                          \
            "    .cfi_adjust_cfa_offset 8\n"                                                   \
            "    movq 56(%rsp), %rcx\n"                                                        \
            "    call preload_" #name "\n"                                                     \
            "    movq %rdx, %r11\n"                                                            \
            "    leaq 8(%rsp), %rsp\n"                                                         \
            "    .cfi_adjust_cfa_offset -8\n"                                                  \
            "    popq %r9\n"                                                                   \
            "    .cfi_adjust_cfa_offset -8\n"                                                  \
            "    popq %r8\n"                                                                   \
            "    .cfi_adjust_cfa_offset -8\n"                                                  \
            "    popq %rcx\n"                                                                  \
            "    .cfi_adjust_cfa_offset -8\n"                                                  \
            "    popq %rdx\n"                                                                  \
            "    .cfi_adjust_cfa_offset -8\n"                                                  \
            "    popq %rsi\n"                                                                  \
            "    .cfi_adjust_cfa_offset -8\n"                                                  \
            "    popq %rdi\n"                                                                  \
            "    .cfi_adjust_cfa_offset -8\n"                                                  \
            "    testq %r11, %r11\n"                                                           \
            "    jz 1f\n"                                                                      \
            "    jmp *%r11\n"                                                                  \
            "1:  ret\n"                                                                        \
            "    .cfi_endproc\n"                                                               \
            ".size " #name ", .-" #name "\n"                                                   \
            ".popsection\n")
#elif defined(__riscv)
#define INTERPOSE_OR_TAIL_CALL(name)                                                                \
    __asm__(".pushsection .text\n"                                                             \
            ".globl " #name "\n"                                                               \
            ".type " #name ", @function\n"                                                     \
            #name ":\n"                                                                        \
            "    .cfi_startproc\n"                                                             \
            "    addi sp, sp, -80\n"                                                           \
            "    .cfi_def_cfa_offset 80\n"                                                     \
            "    sd ra, 72(sp)\n"                                                              \
            "    .cfi_offset ra, -8\n"                                                         \
            "    sd a0, 0(sp)\n"                                                               \
            "    sd a1, 8(sp)\n"                                                               \
            "    sd a2, 16(sp)\n"                                                              \
            "    sd a3, 24(sp)\n"                                                              \
            "    sd a4, 32(sp)\n"                                                              \
            "    sd a5, 40(sp)\n"                                                              \
            "    sd a6, 48(sp)\n"                                                              \
            "    sd a7, 56(sp)\n"                                                              \
            "    mv a3, ra\n"                                                                  \
            "    call preload_" #name "\n"                                                     \
            "    mv t1, a1\n"                                                                  \
            "    beqz t1, 1f\n"                                                                \
            "    ld a0, 0(sp)\n"                                                               \
            "    ld a1, 8(sp)\n"                                                               \
            "    ld a2, 16(sp)\n"                                                              \
            "    ld a3, 24(sp)\n"                                                              \
            "    ld a4, 32(sp)\n"                                                              \
            "    ld a5, 40(sp)\n"                                                              \
            "    ld a6, 48(sp)\n"                                                              \
            "    ld a7, 56(sp)\n"                                                              \
            "1:  ld ra, 72(sp)\n"                                                              \
            "    .cfi_restore ra\n"                                                            \
            "    addi sp, sp, 80\n"                                                            \
            "    .cfi_def_cfa_offset 0\n"                                                      \
            "    beqz t1, 2f\n"                                                                \
            "    jr t1\n"                                                                      \
            "2:  ret\n"                                                                        \
            "    .cfi_endproc\n"                                                               \
            ".size " #name ", .-" #name "\n"                                                   \
            ".popsection\n")
#else
#define INTERPOSE_OR_TAIL_CALL(name)                                                                \
    __asm__(".pushsection .text\n"                                                             \
            ".globl " #name "\n"                                                               \
            ".type " #name ", %function\n"                                                     \
            #name ":\n"                                                                        \
            "    .cfi_startproc\n"                                                             \
            "    hint #34\n" /* bti c */                                                       \
            "    stp x29, x30, [sp, #-80]!\n"                                                  \
            "    .cfi_def_cfa_offset 80\n"                                                     \
            "    .cfi_offset 29, -80\n"                                                        \
            "    .cfi_offset 30, -72\n"                                                        \
            "    mov x29, sp\n"                                                                \
            "    stp x0, x1, [sp, #16]\n"                                                      \
            "    stp x2, x3, [sp, #32]\n"                                                      \
            "    stp x4, x5, [sp, #48]\n"                                                      \
            "    stp x6, x7, [sp, #64]\n"                                                      \
            "    mov x3, x30\n"                                                                \
            "    bl preload_" #name "\n"                                                       \
            "    mov x16, x1\n"                                                                \
            "    cbz x16, 1f\n"                                                                \
            "    ldp x0, x1, [sp, #16]\n"                                                      \
            "    ldp x2, x3, [sp, #32]\n"                                                      \
            "    ldp x4, x5, [sp, #48]\n"                                                      \
            "    ldp x6, x7, [sp, #64]\n"                                                      \
            "1:  ldp x29, x30, [sp], #80\n"                                                    \
            "    .cfi_restore 29\n"                                                            \
            "    .cfi_restore 30\n"                                                            \
            "    .cfi_def_cfa_offset 0\n"                                                      \
            "    cbz x16, 2f\n"                                                                \
            "    br x16\n"                                                                     \
            "2:  ret\n"                                                                        \
            "    .cfi_endproc\n"                                                               \
            ".size " #name ", .-" #name "\n"                                                   \
            ".popsection\n")
#endif
/* clang-format on */

#endif
