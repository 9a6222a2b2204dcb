/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsecretssl.so: start and end. The constructor runs before those of all other objects (-z
 * initfirst), when the C library does not know the environment yet. The constructor takes what
 * only the start of a process offers: the settings, the file that stderr is, the first place
 * among the atfork handlers, a thread key. Everything else waits for a libcrypto.
 */
#include "base/common.h"
#include "base/settings.h"
#include "fork/fork.h"
#include "heap/thread_cache.h"
#include "libcrypto/discover.h"
#include "libcrypto/hidden_copy.h"
#include "loader/real.h"
#include "log/log.h"
#include "process/exit_report.h"
#include "seal/seal.h"
#include "stacktrace/load_library.h"
#include "start.h"
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/*
 * Removes the settings from the environment, as the dynamic linker does with its own variables.
 */
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

__attribute__((constructor)) static void preload_begin(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv;
    /*
     * A set-id program takes no settings, and no path of a log file, from the user who starts
     * it. Nor do the programs that it starts, because they cannot tell where the settings came
     * from.
     */
    if (getauxval(AT_SECURE))
        forget_settings(envp);
    real_resolve();
    sm_log_init("libsecretssl");
    sm_library_init();
    start_read_settings(envp);
    seal_init();
    sm_fork_init();
    /* The C library knows its environment once it has run constructors of its own. */
    if (!environ)
        sm_fork_innermost();
    sm_thread_cache_claim();
    sm_exit_report_init(&start_done);
    if (libcrypto_present()) {
        start_now();
        libcrypto_hook_all();
    }
    if (sm_settings.require)
        hidden_copy_refuse();
    start_begun();
}

/* The arena stays, because OpenSSL frees memory after this destructor. */
__attribute__((destructor)) static void preload_end(void)
{
    if (start_done)
        sm_exit_report_register();
}
