/* SPDX-License-Identifier: Apache-2.0 */
/* Searches the kernel's memory. */
#ifndef SECRETSSL_SCAN_KERNEL_H
#define SECRETSSL_SCAN_KERNEL_H

#include "scan/process.h"

#define KERNEL_CORE "/proc/kcore"

/*
 * As process_scan(), for an ELF core file of all physical memory: the kernel's own memory,
 * files in the page cache, and the ordinary memory of every process. The result has no process
 * ID.
 */
bool kernel_scan(const char *core, struct searcher *searcher, const volatile int *stop,
                 struct process_result *result);

#endif
