/* SPDX-License-Identifier: Apache-2.0 */
/* A seccomp filter that asks a supervisor about the calls of calls.h, and about exec. */
#ifndef FAULTS_FILTER_H
#define FAULTS_FILTER_H

/*
 * Installs the filter for this process and its descendants. Returns the descriptor on which the
 * supervisor gets the questions, or -1 and errno.
 */
int filter_install(void);

#endif
