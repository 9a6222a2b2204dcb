/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes for bpftrace, perf and SystemTap (USDT). Each is one nop, and a note in the object
 * that names it and says where its arguments are; a tracer replaces the nop while it looks. No
 * probe passes anything but sizes, numbers and addresses. docs/operations/monitoring.md lists
 * them.
 */
#ifndef SM_BASE_PROBE_H
#define SM_BASE_PROBE_H

#if SECRETSSL_PROBES
#include <sys/sdt.h>
#define sm_probe(name, value) DTRACE_PROBE1(libsecretssl, name, value)
#else
#define sm_probe(name, value) ((void)(value))
#endif

#endif
