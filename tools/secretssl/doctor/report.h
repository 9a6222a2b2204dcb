/* SPDX-License-Identifier: Apache-2.0 */
/* The output of `secretssl doctor`, and its checks of single processes. */
#ifndef SECRETSSL_DOCTOR_REPORT_H
#define SECRETSSL_DOCTOR_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "doctor/check.h"
#include "process/state.h"

/* A process, and a check with the remedies for this process. */
struct patient {
    struct process_state process;
    struct check check;
};

/* Fills in the check from the process's state and from the process's files in /proc. */
void patient_examine(struct patient *patient, const struct facts *facts);

bool doctor_print_text(const struct diagnosis *diagnosis, const struct patient *patients,
                       size_t count);
bool doctor_print_json(const struct diagnosis *diagnosis, const struct patient *patients,
                       size_t count);

/* The number of checks with a verdict: with VERDICT_WARNING, the ways that are open to root. */
size_t doctor_count(const struct diagnosis *diagnosis, enum verdict verdict);

/* Returns true if no check failed: secret memory works, and OpenSSL uses secret memory. */
bool doctor_works(const struct diagnosis *diagnosis);

#endif
