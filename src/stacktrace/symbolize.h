/* SPDX-License-Identifier: Apache-2.0 */
/* Names for the addresses of a call stack. */
#ifndef SM_STACKTRACE_SYMBOLIZE_H
#define SM_STACKTRACE_SYMBOLIZE_H

#include "base/common.h"

/*
 * Prints one line: "#number address name+offset (file+offset)", as far as known. at: a return
 * address. thorough: also looks up functions that are not exported, by libunwind in the files;
 * for a process that is at its end and in good health. Takes locks of the dynamic linker.
 */
void sm_symbol_report(int number, const void *at, bool thorough);

#endif
