/* SPDX-License-Identifier: Apache-2.0 */
#include "process/sealing.h"
#include "base/counters.h"
#include "base/settings.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/pages.h"
#include "os/protection_key.h"
#include <errno.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static const char *why_no_key(int error)
{
    if (error == -EOPNOTSUPP || error == -ENOSYS)
        return "this processor or kernel has no protection keys (PKU)";
    if (error == -ENOSPC)
        return "the program uses all protection keys of the processor";
    return "a filter forbids pkey_alloc";
}

void sm_sealing_refuse(const char *subject, const char *reason)
{
    if (sm_settings.seal == SM_SEALING_REQUIRE)
        sm_exit_refused("SECRETSSL_SEAL=require: %s cannot be sealed: %s", subject, reason);
    sm_lapse(SM_LAPSE_UNSEALED, "SECRETSSL_SEAL: %s is not sealed: %s", subject, reason);
}

/* Whether a page of secret memory can have the key. */
static int sealing_try(int key)
{
    struct sm_secret_map map = {.length = sm_os_page};
    int error;

    sm_pku_begin(key);
    sm_pages_map_secret(&map);
    if (map.error) /* That is reported where memory is needed. */
        return 0;
    error = sm_pku_protect(map.address, map.length);
    sm_pages_unmap(map.address, map.length);
    return error;
}

static void note_clocks(void)
{
#if defined(__x86_64__)
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    sm_stats.ns_since = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    sm_stats.ticks_since = __rdtsc();
#endif
}

bool sm_sealing_begin(void)
{
    static const char keys[] = "a private key";
    int key, error;

    if (sm_settings.seal == SM_SEALING_OFF)
        return false;
    key = sm_pku_take();
    if (key < 0) {
        sm_sealing_refuse(keys, why_no_key(key));
        return false;
    }
    error = sealing_try(key);
    if (error) {
        sm_pku_mask = 0;
        sm_pku_give(key);
        sm_sealing_refuse(keys, "the kernel refuses pkey_mprotect on secret memory");
        return false;
    }
    note_clocks();
    return true;
}
