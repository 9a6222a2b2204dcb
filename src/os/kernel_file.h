/* SPDX-License-Identifier: Apache-2.0 */
/* Small files of sysfs. */
#ifndef SM_OS_KERNEL_FILE_H
#define SM_OS_KERNEL_FILE_H

#include <stddef.h>

/*
 * Reads the beginning of a file, also without a free descriptor. Returns the number of bytes,
 * or a negative errno value: EPERM also where a seccomp filter would kill for a call. Called
 * after sm_seccomp_probe().
 */
long sm_kernel_file(const char *path, char *text, size_t size);

#endif
