/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests whether memfd_secret(2) works. If not, finds the cause: kernel, boot switch or seccomp
 * filter.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor/check.h"
#include "process/try_in_child.h"

#define SWITCH "/sys/module/secretmem/parameters/enable"

/* The boot switch: the content of its file, or what is known without reading the file. */
enum boot_switch { ON, OFF, UNREADABLE, ABSENT, NO_SYS };

struct first_call {
    int fd, error;
};

static void try_call(void *result)
{
    struct first_call *call = result;

    call->fd = secret_open(0);
    call->error = errno;
}

/* Runs in a child, because a filter may kill the process that makes this call. */
static void ask_for_filter(void *result)
{
    *(int *)result = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
}

static bool kernel_below_filter(void)
{
    int mode = 0;
    int signal = trial(ask_for_filter, &mode, sizeof(mode));

    return mode > 0 || signal == SIGSYS || signal == SIGKILL;
}

static enum boot_switch read_switch(void)
{
    char value[8];

    if (first_line(SWITCH, value, sizeof(value)))
        return value[0] == 'Y' ? ON : OFF;
    if (access(SWITCH, F_OK) == 0)
        return UNREADABLE;
    return access("/sys/module", F_OK) == 0 ? ABSENT : NO_SYS;
}

static bool older_than(const char *release, int major, int minor)
{
    int a = 0, b = 0;

    return sscanf(release, "%d.%d", &a, &b) == 2 && (a < major || (a == major && b < minor));
}

/*
 * Returns the setting on the kernel's command line: 1 on, 0 off, -1 none. The last setting
 * counts.
 */
static int on_command_line(void)
{
    char line[4096];
    int answer = -1;

    if (!first_line("/proc/cmdline", line, sizeof(line)))
        return -1;
    for (const char *at = line; (at = strstr(at, "secretmem.enable")) != NULL;) {
        at += strlen("secretmem.enable");
        answer = *at != '=' || strchr("1yY", at[1]) != NULL || strncmp(at, "=on", 3) == 0;
    }
    return answer;
}

/* How Debian calls the machine in the names of kernels. */
static const char *debian_name(const char *machine)
{
    if (strcmp(machine, "aarch64") == 0)
        return "arm64";
    return strcmp(machine, "x86_64") == 0 ? "amd64" : machine;
}

static void judge_kernel(struct check *check, const struct facts *facts,
                         const struct utsname *name, enum boot_switch known)
{
    if (facts->secret_calls || known == ON || known == OFF || known == UNREADABLE)
        check_say(check, VERDICT_OK, "Linux %s on %s has memfd_secret", name->release,
                  name->machine);
    else if (older_than(name->release, 5, 14)) {
        check_say(check, VERDICT_FAILED, "Linux %s is older than memfd_secret", name->release);
        check_remedy(check, "install a kernel of 5.14 or later", "apt install linux-image-%s",
                     debian_name(name->machine));
    } else if (known == ABSENT) {
        check_say(check, VERDICT_FAILED, "Linux %s on %s was built without memfd_secret",
                  name->release, name->machine);
        check_remedy(check, "the kernel's configuration; then build the kernel again",
                     "CONFIG_SECRETMEM=y");
    } else {
        check_say(check, VERDICT_UNKNOWN,
                  "Linux %s on %s: /sys, which would tell whether it has memfd_secret, is not "
                  "mounted",
                  name->release, name->machine);
    }
}

static void switched_off(struct check *check, const char *why)
{
    check_say(check, VERDICT_FAILED, "memfd_secret is switched off%s", why);
    check_remedy(check, KERNEL_LINE, "secretmem.enable=1");
}

static void judge_switch(struct check *check, const struct facts *facts, const char *release,
                         enum boot_switch known)
{
    int asked = on_command_line();

    if (facts->secret_calls || known == ON)
        check_say(check, VERDICT_OK, "memfd_secret is switched on");
    else if (known == OFF)
        switched_off(check, asked < 0 ? ", as is the default before Linux 6.5" : " at boot");
    else if (known == ABSENT)
        check_say(check, VERDICT_NOTE,
                  "this kernel has no such switch, because it has no memfd_secret");
    else if (asked == 0)
        switched_off(check, " on the kernel's command line");
    else if (asked < 0 && older_than(release, 6, 5) && facts->secret_error == ENOSYS &&
             !facts->filtered)
        switched_off(check, ", as is the default before Linux 6.5");
    else
        check_say(check, VERDICT_UNKNOWN, "only root may read %s", SWITCH);
}

static void judge_filter(struct check *check, const struct facts *facts, enum boot_switch known)
{
    if (!facts->filtered) {
        check_say(check, VERDICT_OK, "no seccomp filter");
    } else if (facts->secret_calls) {
        check_say(check, VERDICT_OK, "there is a filter, and it allows memfd_secret");
    } else if (facts->secret_signal == SIGSYS) {
        check_say(check, VERDICT_FAILED, "a filter ends the process that calls memfd_secret");
        check_remedy_filter(check);
    } else if (known == ON || facts->secret_error != ENOSYS) {
        check_say(check, VERDICT_FAILED, "a filter answers memfd_secret with %s (%s)",
                  strerrorname_np(facts->secret_error), strerror(facts->secret_error));
        check_remedy_filter(check);
    } else if (known == OFF || known == ABSENT) {
        check_say(check, VERDICT_NOTE,
                  "there is a filter; the kernel itself would also refuse memfd_secret");
    } else {
        check_say(check, VERDICT_UNKNOWN,
                  "there is a filter, and memfd_secret fails with ENOSYS: by the filter or by "
                  "the kernel");
        check_remedy_filter(check);
    }
}

void check_system_call(struct diagnosis *diagnosis)
{
    struct facts *facts = &diagnosis->facts;
    struct first_call call = {.fd = -1};
    enum boot_switch known = read_switch();
    struct utsname name = {0};

    uname(&name);
    facts->secret_signal = trial(try_call, &call, sizeof(call));
    facts->secret_calls = facts->secret_signal == 0 && call.fd >= 0;
    facts->secret_error = call.error;
    facts->filtered = kernel_below_filter();

    struct check *kernel = check_new(diagnosis, "kernel");

    judge_kernel(kernel, facts, &name, known);
    judge_switch(check_new(diagnosis, "boot-switch"), facts, name.release, known);
    judge_filter(check_new(diagnosis, "seccomp"), facts, known);
    /* The kernel refuses memfd_secret(2), although switch and filters are no cause. */
    if (!facts->secret_calls && facts->secret_error == ENOSYS && !facts->filtered &&
        known == ON) {
        check_say(kernel, VERDICT_FAILED,
                  "Linux %s on %s cannot take single pages out of its map", name.release,
                  name.machine);
        check_remedy(kernel, KERNEL_LINE, "rodata=full");
    }
}
