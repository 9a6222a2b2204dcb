/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instructions that read and write the register PKRU (eax; ecx is 0, edx is 0 or becomes
 * 0). They are in a file of their own because bench/stand_in has others for processors without.
 */
#ifndef SM_OS_PKU_INSTRUCTIONS_H
#define SM_OS_PKU_INSTRUCTIONS_H

/* mark: what precedes a register's name, which is "%%" in an asm statement with operands */
#define SM_READ_PKRU(mark)  "rdpkru\n"
#define SM_WRITE_PKRU(mark) "wrpkru\n"

#endif
