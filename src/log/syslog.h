/* SPDX-License-Identifier: Apache-2.0 */
/* SECRETSSL_LOG=syslog, without the C library's syslog(3), which takes a lock. */
#ifndef SM_LOG_SYSLOG_H
#define SM_LOG_SYSLOG_H

#include "base/common.h"

/*
 * Sends one record to /dev/log, "<priority>text", without a newline. Never waits. Returns false
 * if there is no daemon, or if the daemon is unreachable from here or busy.
 */
bool sm_syslog(const char *text, size_t length);

#endif
