/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsecretssl.so: start and end. The constructor runs before those of all other objects
 * (-z initfirst), when the C library does not know the environment yet. What only the start
 * of a process can tell (settings, which file stderr is, first place among the handlers of
 * fork, a thread key) is taken then; the rest waits for a libcrypto.
 */
#include "arena/backing.h"
#include "base/common.h"
#include "base/counters.h"
#include "base/settings.h"
#include "exports/crypto_malloc.h"
#include "exports/ssl_session.h"
#include "fork/fork.h"
#include "heap/malloc.h"
#include "heap/thread_cache.h"
#include "libcrypto/discover.h"
#include "loader/real.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/seccomp.h"
#include "os/syscall.h"
#include "process/exit_report.h"
#include "start.h"
#include <string.h>
#include <sys/auxv.h>

bool start_done;
static bool begun; /* our constructor has run */
static bool prefaults;
static char wrong_setting[256]; /* said when a libcrypto is there: others need no settings */

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
        sm_lapse(SM_LAPSE_PREFAULT,
                 "SECRETSSL_PREFAULT: only %zu of %zu bytes could be made present", got,
                 sm_config.prefault);
}

/* Before the start it is not known yet whether a filter lets signals be held back. */
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
    size_t early = allocate_early();

    if (!early)
        return;
    sm_count(&sm_stats.hooks_late, 1);
    if (sm_config.require)
        sm_refuse("SECRETSSL_REQUIRE=1: libcrypto made %zu allocations already, before "
                  "libsecretssl could start",
                  early);
    sm_lapse(SM_LAPSE_EARLY,
             "libcrypto made %zu allocations already, before libsecretssl could start: they "
             "are not protected",
             early);
}

void start_now(void)
{
    if (start_done)
        return;
    if (*wrong_setting)
        sm_refuse("%s", wrong_setting);
    sm_heap_start();
    sm_backing_check();
    sm_fork_start();
    sm_heap_seal();
    __atomic_store_n(&start_done, true, __ATOMIC_RELEASE);
    check_early();
    session_start();
    if (sm_config.prefault && prefaults)
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

/* As the dynamic linker does with its own variables */
static void forget_settings(char **envp)
{
    static const char prefix[] = "SECRETSSL_";
    char **to = envp;

    for (; envp && *envp; envp++) {
        if (strncmp(*envp, prefix, sizeof(prefix) - 1) != 0)
            *to++ = *envp;
    }
    if (to)
        *to = NULL;
}

__attribute__((constructor)) static void begin(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv;
    /*
     * A set-id program takes no orders, and no path of a log file, from who starts it; nor do
     * the programs that it starts, which do not know any more where these came from.
     */
    if (getauxval(AT_SECURE))
        forget_settings(envp);
    next_resolve();
    sm_report_init("libsecretssl");
    if (sm_config_from_env(envp, wrong_setting, sizeof(wrong_setting)) == 0)
        wrong_setting[0] = '\0';
    prefaults = prefault_is_for_us(envp);
    sm_fork_init();
    sm_thread_cache_claim();
    sm_ending_init(&start_done);
    if (libcrypto_present()) {
        start_now();
        libcrypto_hook_all();
    }
    __atomic_store_n(&begun, true, __ATOMIC_RELEASE);
}

/* The arena stays: OpenSSL frees memory after this. */
__attribute__((destructor)) static void end(void)
{
    if (start_done)
        sm_ending_last();
}
