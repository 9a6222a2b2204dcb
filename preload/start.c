/* SPDX-License-Identifier: Apache-2.0 */
#include "start.h"
#include "arena/backing.h"
#include "base/counters.h"
#include "base/settings.h"
#include "fork/fork.h"
#include "heap/malloc.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/seccomp.h"
#include "os/syscall.h"
#include "process/sealing.h"
#include "process/wipe_handler.h"
#include "session_key.h"
#include <string.h>

bool start_done;
static bool begun;   /* the preload's constructor has run */
static size_t early; /* allocations before the constructor */
static bool prefaults;
static char wrong_setting[256]; /* reported only in programs with a libcrypto */

/*
 * How SECRETSSL_PREFAULT is spread over the partitions, in sixteenths: as measured in nginx's
 * workers.
 */
static const unsigned shares[SM_PARTS] = {
    [SM_PART_BYTES] = 1,
    [SM_PART_KEY] = 9,
    [SM_PART_IO] = 4,
    [SM_PART_PUBLIC] = 2,
};

/*
 * `secretssl run --prefault` is for the command that it starts, whose process number it passes
 * on.
 */
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
    /* A quarter of the arena is left for the partition that turns out to need it. */
    size_t wanted = sm_min(sm_settings.prefault, sm_settings.arena_size / 4 * 3), got = 0;

    for (unsigned p = 0; p < SM_PARTS; p++)
        got += sm_heap_reserve(p, wanted / 16 * shares[p]);
    if (got < sm_settings.prefault / 16 * 16)
        sm_lapse(SM_LAPSE_PREFAULT,
                 "SECRETSSL_PREFAULT: only %zu of %zu bytes could be made resident: raise "
                 "SECRETSSL_ARENA_SIZE or RLIMIT_MEMLOCK, or set a smaller size",
                 got, sm_settings.prefault);
}

/* Before the start the preload does not know yet whether a filter forbids blocking signals. */
void start_lock(void)
{
    if (!sm_heap_started())
        sm_seccomp_probe();
    sm_fork_hold(true);
}

void start_unlock(void)
{
    sm_fork_release();
}

static void check_early(void)
{
    size_t number = __atomic_load_n(&early, __ATOMIC_RELAXED);

    if (!number)
        return;
    sm_count(&sm_stats.hooks_late, 1);
    if (sm_settings.require)
        sm_exit_refused("SECRETSSL_REQUIRE=1: libcrypto made %zu allocations before "
                        "libsecretssl could start",
                        number);
    sm_lapse(SM_LAPSE_EARLY,
             "libcrypto made %zu allocations before libsecretssl could start: these are not "
             "protected",
             number);
}

void start_now(void)
{
    if (start_done)
        return;
    if (*wrong_setting)
        sm_exit_refused("%s", wrong_setting);
    sm_heap_start();
    sm_wipe_handler_begin(false); /* A handler of the program, if it has one, stays. */
    sm_backing_check();
    sm_sealing_begin();
    sm_fork_start();
    sm_heap_seal();
    session_key_make(); /* before any thread can ask for it */
    __atomic_store_n(&start_done, true, __ATOMIC_RELEASE);
    check_early();
    if (sm_settings.prefault && prefaults)
        prefault();
}

bool start_late(void)
{
    if (!__atomic_load_n(&begun, __ATOMIC_ACQUIRE) || sm_fork_holds())
        return false;
    start_lock();
    start_now();
    start_unlock();
    return true;
}

void start_count_early(void)
{
    __atomic_fetch_add(&early, 1, __ATOMIC_RELAXED);
}

void start_read_settings(char *const *envp)
{
    if (sm_settings_from_env(envp, wrong_setting, sizeof(wrong_setting)) == 0)
        wrong_setting[0] = '\0';
    prefaults = prefault_is_for_us(envp);
}

void start_begun(void)
{
    __atomic_store_n(&begun, true, __ATOMIC_RELEASE);
}
