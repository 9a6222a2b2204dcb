/* SPDX-License-Identifier: Apache-2.0 */
/* What `secretssl doctor` prints, and what it finds out about single processes. */
#ifndef SECRETSSL_DOCTOR_REPORT_H
#define SECRETSSL_DOCTOR_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "doctor/check.h"
#include "process/state.h"

/* A process, and what is to be done about it as a check. */
struct patient {
    struct process_state process;
    struct check check;
};

/* Fills in the check from the process's state, and from what /proc shows of it. */
void patient_examine(struct patient *patient, const struct facts *facts);

bool doctor_print_text(const struct diagnosis *diagnosis, const struct patient *patients,
                       size_t count);
bool doctor_print_json(const struct diagnosis *diagnosis, const struct patient *patients,
                       size_t count);

/* Whether no check failed: secret memory works, and reaches OpenSSL. */
bool doctor_works(const struct diagnosis *diagnosis);

#endif
