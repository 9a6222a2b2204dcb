/* SPDX-License-Identifier: Apache-2.0 */
/* Where a walk up the stack begins: the registers of each processor, as libunwind numbers them.
 */
#ifndef SM_STACKTRACE_READ_REGISTERS_H
#define SM_STACKTRACE_READ_REGISTERS_H

#include <libunwind.h>

/*
 * Reads the registers that the frame tables describe: the callee-saved registers, the stack
 * pointer and the instruction pointer.
 */
#if defined(__x86_64__)
static inline __attribute__((always_inline)) void read_registers(unw_word_t *registers)
{
    __asm__ volatile("movq %%rbx, 24(%0)\n\tmovq %%rbp, 48(%0)\n\tmovq %%rsp, 56(%0)\n\t"
                     "movq %%r12, 96(%0)\n\tmovq %%r13, 104(%0)\n\tmovq %%r14, 112(%0)\n\t"
                     "movq %%r15, 120(%0)\n\tleaq 0f(%%rip), %%rax\n\tmovq %%rax, 128(%0)\n"
                     "0:" ::"r"(registers)
                     : "rax", "memory");
}
#elif defined(__riscv)
static inline __attribute__((always_inline)) void read_registers(unw_word_t *registers)
{
    unw_word_t ip;

    __asm__ volatile("sd ra, 8(%1)\n\tsd sp, 16(%1)\n\tsd s0, 64(%1)\n\tsd s1, 72(%1)\n\t"
                     "sd s2, 144(%1)\n\tsd s3, 152(%1)\n\tsd s4, 160(%1)\n\t"
                     "sd s5, 168(%1)\n\tsd s6, 176(%1)\n\tsd s7, 184(%1)\n\t"
                     "sd s8, 192(%1)\n\tsd s9, 200(%1)\n\tsd s10, 208(%1)\n\t"
                     "sd s11, 216(%1)\n\tauipc %0, 0"
                     : "=&r"(ip)
                     : "r"(registers)
                     : "memory");
    registers[UNW_REG_IP] = ip;
}
#else
static inline __attribute__((always_inline)) void read_registers(unw_word_t *registers)
{
    __asm__ volatile("stp x19, x20, [%0, #152]\n\tstp x21, x22, [%0, #168]\n\t"
                     "stp x23, x24, [%0, #184]\n\tstp x25, x26, [%0, #200]\n\t"
                     "stp x27, x28, [%0, #216]\n\tstp x29, x30, [%0, #232]\n\t"
                     "mov x9, sp\n\tadr x10, 0f\n\tstp x9, x10, [%0, #248]\n"
                     "0:" ::"r"(registers)
                     : "x9", "x10", "memory");
}
#endif

#endif
