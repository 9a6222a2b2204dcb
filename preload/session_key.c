/* SPDX-License-Identifier: Apache-2.0 */
#include "session_key.h"
#include "base/settings.h"
#include "heap/malloc.h"
#include "log/lapse.h"
#include "log/log.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"

bool session_random(unsigned char *to, size_t n)
{
    return !sm_seccomp_forbids(SM_CALL_GETRANDOM) && sm_sys(SYS_getrandom, to, n, 0) == (long)n;
}

unsigned char *session_key;

static void no_sealing(const char *why)
{
    if (sm_settings.require)
        sm_exit_refused("SECRETSSL_SESSIONS=sealed: %s", why);
    sm_lapse(SM_LAPSE_SESSIONS,
             "SECRETSSL_SESSIONS=sealed: %s: sessions in shared caches can be read", why);
}

void session_key_make(void)
{
    unsigned char *made;

    if (sm_settings.sessions != SM_SESSIONS_SEALED || session_key)
        return;
    made = sm_malloc(SESSION_KEY, SM_PART_KEY);
    if (!made || !session_random(made, SESSION_KEY)) {
        sm_free(made);
        no_sealing("no key can be made (no memory, or a seccomp filter forbids getrandom)");
        return;
    }
    session_key = made;
}
