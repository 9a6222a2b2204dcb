/* SPDX-License-Identifier: Apache-2.0 */
/* Other properties of the machine: kernel patches, hibernation, core dumps. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "doctor/check.h"
#include "process/try_in_child.h"

#define BLOCKS "/sys/kernel/mm/secretmem/"
#define POLICY "/sys/module/secretmem/parameters/hibernate"

struct call {
    int fd, error;
};

static void try_uncached(void *result)
{
    struct call *call = result;

    call->fd = secret_open(SECRET_UNCACHED);
    call->error = errno;
}

static void check_uncached(struct check *check, const struct facts *facts)
{
    struct call call = {.fd = -1};
    int signal = trial(try_uncached, &call, sizeof(call));

    if (!facts->secret_calls || signal != 0) {
        check_say(check, VERDICT_NOTE, "no: there is no secret memory");
    } else if (call.fd >= 0) {
        check_say(check, VERDICT_OK, "uncached mappings are available (SECRETSSL_UNCACHED)");
    } else if (call.error == EPERM) {
        check_say(check, VERDICT_WARNING, "uncached mappings need CAP_SYS_RAWIO");
        check_remedy(check, KERNEL_LINE, "secretmem.uncached_all=1");
    } else if (call.error == EOPNOTSUPP) {
        /* This kernel has the patches, so they are no remedy. */
        check_say(check, VERDICT_NOTE,
                  "not on this processor or architecture (EOPNOTSUPP): leave "
                  "SECRETSSL_UNCACHED off");
    } else {
        check_say(check, VERDICT_NOTE,
                  "not in this kernel (%s): leave SECRETSSL_UNCACHED off, or apply "
                  "kernel-patches/",
                  strerrorname_np(call.error));
    }
}

static long number(const char *name)
{
    char path[96], line[32];

    snprintf(path, sizeof(path), BLOCKS "%s", name);
    return first_line(path, line, sizeof(line)) ? strtol(line, NULL, 10) : -1;
}

static void check_blocks(struct check *check, const struct facts *facts)
{
    long size = number("block_size"), total = number("reserved_total");

    if (!facts->secret_calls) {
        check_say(check, VERDICT_NOTE, "no: there is no secret memory");
    } else if (size < 0) {
        check_say(check, VERDICT_NOTE,
                  "not in this kernel: it removes secret memory from its map page by page "
                  "(with kernel-patches/ 2 MiB at a time)");
    } else if (size == 0) {
        check_say(check, VERDICT_NOTE, "this kernel has none: CONFIG_SECRETMEM_BLOCKS is off");
    } else if (number("lost") > 0) {
        check_say(check, VERDICT_WARNING,
                  "%ld pages could not be restored to the kernel's map; reboot",
                  number("lost"));
    } else {
        check_say(
            check, VERDICT_OK,
            "blocks of %ld KiB: %ld in use, %ld single pages, %ld fallbacks; %ld reserved at "
            "boot, %ld of them free",
            size / 1024, number("blocks"), number("pages"), number("fallbacks"),
            total > 0 ? total : 0, total > 0 ? number("reserved_free") : 0);
    }
}

/* Who copies secret memory for forked children: see src/os/fork_copies.c. */
static void check_copies(struct check *check, const struct facts *facts)
{
    struct rlimit limit = {0, 0};

    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (!facts->secret_calls) {
        check_say(check, VERDICT_NOTE, "no: there is no secret memory");
    } else if (number("copy_at_fork") != 1) {
        check_say(check, VERDICT_NOTE,
                  "not in this kernel: forked children make their copies of secret memory "
                  "themselves (with kernel-patches/ the kernel does)");
    } else if (limit.rlim_max != RLIM_INFINITY) {
        check_say(check, VERDICT_NOTE,
                  "the kernel could copy secret memory for forked children; with "
                  "RLIMIT_MEMLOCK (%llu KiB) they do it themselves",
                  (unsigned long long)limit.rlim_max / 1024);
        check_remedy(check, UNIT_FILE, "LimitMEMLOCK=infinity");
    } else {
        check_say(check, VERDICT_OK, "the kernel copies secret memory for forked children");
    }
}

void check_patches(struct diagnosis *diagnosis)
{
    check_uncached(check_new(diagnosis, "uncached"), &diagnosis->facts);
    check_blocks(check_new(diagnosis, "blocks"), &diagnosis->facts);
    check_copies(check_new(diagnosis, "fork-copies"), &diagnosis->facts);
}

void check_hibernation(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "hibernation");
    char state[256], mode[256] = "", policy[16];

    if (!first_line("/sys/power/state", state, sizeof(state))) {
        if (errno == ENOENT && access("/sys/kernel", F_OK) == 0)
            check_say(check, VERDICT_OK, "this kernel does not hibernate");
        else
            check_say(check, VERDICT_UNKNOWN, "/sys/power/state cannot be read: %s",
                      strerror(errno));
        return;
    }
    first_line("/sys/power/disk", mode, sizeof(mode));
    if (strstr(state, "disk") == NULL || strstr(mode, "[disabled]") != NULL) {
        check_say(check, VERDICT_OK, "this machine does not hibernate");
        return;
    }
    if (first_line(POLICY, policy, sizeof(policy)) && strcmp(policy, "wipe") == 0) {
        check_say(
            check, VERDICT_NOTE,
            "the machine can hibernate, and wipes secret memory then: processes that have "
            "any end after the resume");
        return;
    }
    check_say(check, VERDICT_WARNING,
              "the machine can hibernate, but refuses while any process has secret memory%s",
              access(BLOCKS, F_OK) == 0 ? ""
                                        : "; secret memory that is created after hibernation "
                                          "has begun is written to the disk");
    check_remedy(check, KERNEL_LINE, "nohibernate");
}

void check_core_dumps(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "core-dumps");
    struct rlimit limit = {0, 0};
    char pattern[256];

    getrlimit(RLIMIT_CORE, &limit);
    if (!first_line("/proc/sys/kernel/core_pattern", pattern, sizeof(pattern))) {
        check_say(check, VERDICT_UNKNOWN, "core_pattern cannot be read: %s", strerror(errno));
    } else if (pattern[0] == '|') {
        /* The kernel starts the program for any core limit except 1. */
        check_say(check, VERDICT_WARNING,
                  "no core dump contains secret memory, but stacks and copies that programs "
                  "make go to %s",
                  pattern + 1);
        check_remedy(check, "/etc/sysctl.d/secretssl.conf (then sysctl --system)",
                     "kernel.core_pattern=|/bin/false");
    } else if (pattern[0] == '\0' || limit.rlim_max == 0) {
        check_say(check, VERDICT_OK, "no core dumps are made");
    } else {
        check_say(check, VERDICT_WARNING,
                  "no core dump contains secret memory, but stacks and copies that programs "
                  "make are written to files (%s)",
                  pattern);
        check_remedy(check, UNIT_FILE, "LimitCORE=0");
        check_remedy(check, "/etc/security/limits.d/secretssl.conf, for logins",
                     "* hard core 0");
    }
}
