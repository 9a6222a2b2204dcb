/* SPDX-License-Identifier: Apache-2.0 */
/* What the figures of a process, and the files that it has mapped, say of its protection. */
#ifndef SECRETSSL_PROCESS_JUDGEMENT_H
#define SECRETSSL_PROCESS_JUDGEMENT_H

#include "process/state.h"

/* Sets the state, and why. */
void judgement_set(struct process_state *process, enum protection_state state,
                   const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Judges by what was read of the process. */
void judgement_make(struct process_state *process);

/* Does the process claim more memory of some kind than the kernel has mapped for it? */
bool judgement_false(const struct process_state *process);

/*
 * Is the process protected, with nothing that is degraded, refused, not reached or not known?
 * missing: what speaks against it, or NULL.
 */
bool judgement_is_whole(const struct process_state *process, const char **missing);

#endif
