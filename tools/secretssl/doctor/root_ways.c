/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl doctor --against-root: the ways that root still has to secret memory on this
 * machine. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "doctor/check.h"
#include "process/try_in_child.h"

#define SYSCTL_FILE "/etc/sysctl.d/secretssl.conf (then sysctl --system)"
#define UPROBE_TYPE "/sys/bus/event_source/devices/uprobe/type"

enum lockdown { LOCKDOWN_NONE, LOCKDOWN_INTEGRITY, LOCKDOWN_CONFIDENTIALITY };

/* What the kernel itself refuses to root. Without securityfs this counts as nothing. */
static enum lockdown lockdown(void)
{
    char line[128];

    if (!first_line("/sys/kernel/security/lockdown", line, sizeof(line)))
        return LOCKDOWN_NONE;
    if (strstr(line, "[confidentiality]") != NULL)
        return LOCKDOWN_CONFIDENTIALITY;
    return strstr(line, "[integrity]") != NULL ? LOCKDOWN_INTEGRITY : LOCKDOWN_NONE;
}

/* Whether a file says 1 or Y. -1: there is no such file. */
static int says_yes(const char *path)
{
    char line[32];

    if (!first_line(path, line, sizeof(line)))
        return -1;
    return line[0] == 'Y' || (line[0] == '1' && line[1] == '\0');
}

static void check_modules(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "modules");
    int disabled = says_yes("/proc/sys/kernel/modules_disabled");

    if (disabled < 0) {
        check_say(check, VERDICT_OK, "this kernel loads no modules");
    } else if (disabled > 0) {
        check_say(check, VERDICT_OK, "no module can be loaded any more");
    } else if (lockdown() != LOCKDOWN_NONE ||
               says_yes("/sys/module/module/parameters/sig_enforce") > 0) {
        check_say(check, VERDICT_OK, "only modules with a signature that the kernel knows");
    } else {
        check_say(check, VERDICT_WARNING,
                  "root can load a kernel module, which can map all memory");
        check_remedy(check, SYSCTL_FILE, "kernel.modules_disabled=1");
        check_remedy(check, KERNEL_LINE, "module.sig_enforce=1");
    }
}

static void check_kexec(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "kexec");
    int disabled = says_yes("/proc/sys/kernel/kexec_load_disabled");

    if (disabled != 0) {
        check_say(check, VERDICT_OK, "no other kernel can be started from this one");
    } else if (lockdown() != LOCKDOWN_NONE) {
        check_say(check, VERDICT_OK, "only kernels with a signature that the kernel knows");
    } else {
        check_say(check, VERDICT_WARNING,
                  "root can start another kernel, which finds the memory as it was left");
        check_remedy(check, SYSCTL_FILE, "kernel.kexec_load_disabled=1");
    }
}

static void check_crash_kernel(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "crash-kernel");

    if (says_yes("/sys/kernel/kexec_crash_loaded") <= 0) {
        check_say(check, VERDICT_OK, "no kernel waits for a crash of this one");
        return;
    }
    check_say(
        check, VERDICT_WARNING,
        "after a crash, which root can cause, another kernel writes all memory to a file");
    check_remedy(check, "a root shell", "kexec -p -u; systemctl disable kdump-tools");
}

/* An address of memory behind what old programs may read, or 0 if only root knows. */
static unsigned long long address_of_memory(void)
{
    unsigned long long from, to, found = 0;
    FILE *file = fopen("/proc/iomem", "re");
    char line[160];

    while (file != NULL && found == 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strstr(line, "System RAM") != NULL && sscanf(line, "%llx-%llx", &from, &to) == 2 &&
            to > from && from >= 1 << 20)
            found = from;
    }
    if (file != NULL)
        fclose(file);
    return found;
}

struct device {
    int open_error, read_error; /* 0: it worked */
};

static void try_memory_device(void *result)
{
    struct device *device = result;
    unsigned long long address = address_of_memory();
    int fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
    char byte;

    device->open_error = fd < 0 ? errno : 0;
    if (fd >= 0 && address == 0)
        device->read_error = ENODATA;
    else if (fd >= 0 && pread(fd, &byte, 1, (off_t)address) != 1)
        device->read_error = errno;
}

static void check_memory_device(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "dev-mem");
    struct device device = {0};
    int signal = trial(try_memory_device, &device, sizeof(device));

    if (signal != 0 || device.read_error == ENODATA) {
        check_say(check, VERDICT_UNKNOWN, "/dev/mem could not be tried: /proc/iomem is empty");
    } else if (device.open_error != 0) {
        check_say(check, VERDICT_OK, "/dev/mem cannot be opened (%s)",
                  strerrorname_np(device.open_error));
    } else if (device.read_error != 0) {
        check_say(check, VERDICT_OK, "/dev/mem gives no memory (%s)",
                  strerrorname_np(device.read_error));
    } else {
        check_say(check, VERDICT_WARNING, "/dev/mem gives all memory to root");
        check_remedy(check, KERNEL_LINE, "lockdown=integrity");
    }
}

static void check_debuggers(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "debuggers");
    char scope[32] = "";

    if (first_line("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof(scope)) &&
        strcmp(scope, "3") == 0) {
        check_say(check, VERDICT_OK, "no process can be traced, until the next boot");
        return;
    }
    check_say(check, VERDICT_WARNING,
              "root can trace a process, and have it read its own memory and pass it on");
    if (scope[0] != '\0')
        check_remedy(check, SYSCTL_FILE, "kernel.yama.ptrace_scope=3");
    else
        check_remedy(check, KERNEL_LINE, "lsm=landlock,lockdown,yama,apparmor,bpf");
}

static void check_trace_files(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "tracefs");

    if (lockdown() == LOCKDOWN_CONFIDENTIALITY) {
        check_say(check, VERDICT_OK, "the kernel's trace files cannot be opened (lockdown)");
    } else if (access("/sys/kernel/tracing", F_OK) != 0 && access("/sys/kernel", F_OK) == 0) {
        check_say(check, VERDICT_OK, "this kernel has no trace files");
    } else {
        check_say(check, VERDICT_WARNING,
                  "a line in uprobe_events or kprobe_events prints what a process reads");
        check_remedy(check, KERNEL_LINE, "lockdown=confidentiality");
    }
}

/* A probe in this program, which is not switched on. */
static void try_uprobe(void *result)
{
    struct perf_event_attr attributes = {.size = sizeof(attributes), .disabled = 1};
    int *error = result, fd;
    char line[32];

    *error = ENOENT;
    if (!first_line(UPROBE_TYPE, line, sizeof(line)))
        return;
    attributes.type = (unsigned)strtoul(line, NULL, 10);
    attributes.uprobe_path = (uintptr_t)"/proc/self/exe";
    attributes.probe_offset = 0x1000;
    fd = (int)syscall(SYS_perf_event_open, &attributes, getpid(), -1, -1, 0UL);
    *error = fd < 0 ? errno : 0;
}

static void check_probes(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "probes");
    int error = 0, signal = trial(try_uprobe, &error, sizeof(error));

    if (signal == 0 && (error == ENOENT || error == EPERM || error == EACCES)) {
        check_say(check, VERDICT_OK, "no probe can be set in a process (%s)",
                  strerrorname_np(error));
        return;
    }
    check_say(check, VERDICT_WARNING,
              "an eBPF program on a uprobe (perf_event_open) runs in a process and can read "
              "what it reads; no lockdown forbids it");
    check_remedy(check, "the services and logins of administrators",
                 "CapabilityBoundingSet=~CAP_PERFMON CAP_BPF CAP_SYS_ADMIN CAP_SYS_MODULE");
}

void check_root_ways(struct diagnosis *diagnosis)
{
    check_modules(diagnosis);
    check_kexec(diagnosis);
    check_crash_kernel(diagnosis);
    check_memory_device(diagnosis);
    check_debuggers(diagnosis);
    check_trace_files(diagnosis);
    check_probes(diagnosis);
}
