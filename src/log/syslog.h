/* SPDX-License-Identifier: Apache-2.0 */
/* SECRETSSL_LOG=syslog, without the C library's syslog(3), which takes a lock. */
#ifndef SM_LOG_SYSLOG_H
#define SM_LOG_SYSLOG_H

#include "base/common.h"

/*
 * One record to /dev/log, "<priority>text", without a newline. Waits for nothing. False: there
 * is no daemon, it is not reachable from here, or it is busy.
 */
bool sm_syslog(const char *text, size_t length);

#endif
