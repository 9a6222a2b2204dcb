/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes threads wait that write to pages while these are exchanged (userfaultfd). Called in a
 * helper process, whose descriptors are its own.
 */
#ifndef SM_OS_WRITE_PROTECT_H
#define SM_OS_WRITE_PROTECT_H

#include "base/common.h"

/*
 * Protects private anonymous pages, all of which are resident. Returns a descriptor, or a
 * negative errno value: kernels before 5.7, and many for other processors than x86_64, cannot.
 * A system call of another thread that writes to the pages gets EFAULT meanwhile if this
 * process is not privileged.
 */
int sm_write_protect(void *address, size_t length);

/*
 * Ends the protection. The threads that wait write to what is mapped there now. kept: the pages
 * are still those that were protected.
 */
void sm_write_release(int fd, void *address, size_t length, bool kept);

#endif
