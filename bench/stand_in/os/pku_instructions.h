/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In place of the register PKRU, for processors without: a variable, which all threads share.
 * Writing it waits for all memory accesses twice, so that it takes longer than WRPKRU does.
 */
#ifndef SM_OS_PKU_INSTRUCTIONS_H
#define SM_OS_PKU_INSTRUCTIONS_H

#define SM_READ_PKRU(mark)                                                                     \
    "movl sm_pku_stand_in(" mark "rip), " mark "eax\nxorl " mark "edx, " mark "edx\n"
#define SM_WRITE_PKRU(mark) "movl " mark "eax, sm_pku_stand_in(" mark "rip)\nmfence\nmfence\n"

#endif
