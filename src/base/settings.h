/* SPDX-License-Identifier: Apache-2.0 */
/* The settings, from the environment or set by name, in one struct. */
#ifndef SM_BASE_SETTINGS_H
#define SM_BASE_SETTINGS_H

#include "base/common.h"

enum sm_uncached { SM_UNCACHED_OFF, SM_UNCACHED_PREFER, SM_UNCACHED_REQUIRE };
enum sm_route { SM_ROUTE_ALL, SM_ROUTE_KEYS };
enum sm_fork { SM_FORK_COPY, SM_FORK_DENY };
enum sm_fork_copier { SM_FORK_COPY_KERNEL, SM_FORK_COPY_LIBRARY };
enum sm_sessions { SM_SESSIONS_PLAIN, SM_SESSIONS_SEALED };
enum sm_mlock { SM_MLOCK_AUTO, SM_MLOCK_OFF };
enum sm_functions { SM_FUNCTIONS_REFUSE, SM_FUNCTIONS_IGNORE };
enum sm_sealing { SM_SEALING_OFF, SM_SEALING_PREFER, SM_SEALING_REQUIRE };
enum sm_log { SM_LOG_STDERR, SM_LOG_SYSLOG, SM_LOG_FILE, SM_LOG_NONE };

#define SM_LOG_PATH_MAX 512

struct sm_settings {
    size_t arena_size; /* bytes */
    size_t prefault;   /* bytes */
    int require;
    int uncached;        /* enum sm_uncached */
    int route;           /* enum sm_route */
    int fork;            /* enum sm_fork */
    int fork_copy;       /* enum sm_fork_copier */
    size_t fork_reserve; /* bytes; 0: no copies in recycled pages */
    size_t quarantine;   /* bytes; 0: freed blocks are reused at once */
    int zero;
    int drop_cache;
    int sessions;  /* enum sm_sessions */
    int functions; /* enum sm_functions */
    int mlock;     /* enum sm_mlock */
    int seal;      /* enum sm_sealing, of the preload only */
    int log;       /* enum sm_log */
    int stats;
    int trace;
    char log_path[SM_LOG_PATH_MAX];
} __attribute__((aligned(SM_SEAL_PAGE)));

/* Written before the first allocation, read-only afterwards (sm_heap_seal). */
extern SM_LOCAL struct sm_settings sm_settings;

/*
 * Reads every SECRETSSL_ variable of envp. Returns 0, or -1 with one line in error about the
 * first wrong variable: its name, its value and the accepted values, or that no such variable
 * exists, with the nearest name.
 */
int sm_settings_from_env(char *const *envp, char *error, size_t size);

/*
 * Sets one setting. name may have or lack the SECRETSSL_ prefix. Returns as
 * sm_settings_from_env(), or -2 if there is no such name.
 */
int sm_settings_set(const char *name, const char *value, char *error, size_t size);

#endif
