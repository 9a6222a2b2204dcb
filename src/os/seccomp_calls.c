/* SPDX-License-Identifier: Apache-2.0 */
#include "os/seccomp_calls.h"

uint64_t sm_seccomp_fatal;
bool sm_seccomp_installed;
