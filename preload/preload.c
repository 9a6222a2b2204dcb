/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsecretssl.so: start and end. The constructor runs before those of all other objects
 * (-z initfirst), when the C library does not know the environment yet.
 */
#include "backing.h"
#include "common.h"
#include "config.h"
#include "heap.h"
#include "libcrypto.h"
#include "report.h"
#include "stats.h"
#include "sys.h"
#include <string.h>
#include <sys/auxv.h>

static bool active;

/*
 * How SECRETSSL_PREFAULT is spread: as nginx's workers were seen to use the partitions.
 * Sixteenths.
 */
static const unsigned shares[SM_PARTS] = {
    [SM_PART_BYTES] = 1,
    [SM_PART_KEY] = 9,
    [SM_PART_IO] = 4,
    [SM_PART_PUBLIC] = 2,
};

/* `secretssl run --prefault` means its own command, which has the number of that process. */
static bool prefault_is_for_us(char *const *envp)
{
    static const char name[] = "SECRETSSL_PREFAULT_PID=";
    long pid = 0;

    for (; envp && *envp; envp++) {
        if (strncmp(*envp, name, sizeof(name) - 1) == 0) {
            for (const char *c = *envp + sizeof(name) - 1; *c >= '0' && *c <= '9'; c++)
                pid = pid * 10 + (*c - '0');
            return pid == sm_sys(SYS_getpid);
        }
    }
    return true;
}

static void prefault(void)
{
    /* A quarter of the arena stays for the partition that turns out to need it. */
    size_t wanted = sm_min(sm_config.prefault, sm_config.arena_size / 4 * 3), got = 0;

    for (unsigned p = 0; p < SM_PARTS; p++)
        got += sm_heap_reserve(p, wanted / 16 * shares[p]);
    if (got < sm_config.prefault / 16 * 16)
        sm_report("SECRETSSL_PREFAULT: only %zu of %zu bytes could be made present", got,
                  sm_config.prefault);
}

__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
    char error[256];

    (void)argc, (void)argv;
    if (!libcrypto_present())
        return;
    /* A set-id program takes no orders, and no path of a log file, from who starts it. */
    if (getauxval(AT_SECURE))
        envp = NULL;
    sm_report_init("libsecretssl");
    if (sm_config_from_env(envp, error, sizeof(error)) != 0)
        sm_refuse("%s", error);
    sm_heap_start();
    sm_backing_check();
    libcrypto_hook_all();
    active = true;
    if (sm_config.trace)
        sm_report("SECRETSSL_TRACE=1: call stacks are not recorded by this version");
    if (sm_config.prefault && prefault_is_for_us(envp))
        prefault();
}

/* The arena stays: OpenSSL frees memory after this. */
__attribute__((destructor)) static void end(void)
{
    if (active && sm_config.stats)
        sm_stats_print();
}
