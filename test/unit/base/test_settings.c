/* SPDX-License-Identifier: Apache-2.0 */
#include "base/settings.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define SIZES " in bytes or with a suffix K, M, G or T"

static char error[256];

static int set(const char *name, const char *value)
{
    memset(error, 0, sizeof(error));
    return sm_settings_set(name, value, error, sizeof(error));
}

Test(settings, defaults)
{
    cr_assert_eq(sm_settings.arena_size, 256 * SM_MIB);
    cr_assert_eq(sm_settings.prefault, 0);
    cr_assert_eq(sm_settings.require, 0);
    cr_assert_eq(sm_settings.uncached, SM_UNCACHED_OFF);
    cr_assert_eq(sm_settings.route, SM_ROUTE_ALL);
    cr_assert_eq(sm_settings.fork, SM_FORK_COPY);
    cr_assert_eq(sm_settings.zero, 1);
    cr_assert_eq(sm_settings.log, SM_LOG_STDERR);
    cr_assert_eq(sm_settings.stats, 0);
    cr_assert_eq(sm_settings.trace, 0);
    cr_assert_eq(sm_settings.drop_cache, 1);
}

Test(settings, sizes)
{
    static const struct {
        const char *value;
        size_t bytes;
    } good[] = {
        {"65536", 64 * SM_KIB},
        {"64K", 64 * SM_KIB},
        {"64k", 64 * SM_KIB},
        {"65537", 65537},
        {"1M", SM_MIB},
        {"1m", SM_MIB},
        {"3G", 3 * SM_GIB},
        {"3g", 3 * SM_GIB},
        {"1T", SM_TIB},
        {"1t", SM_TIB},
        {"1099511627776", SM_TIB},
        {"1024G", SM_TIB},
        {"00000128K", 131072},
        {"1048576M", SM_TIB},
        {"1073741824K", SM_TIB},
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cr_assert_eq(set("ARENA_SIZE", good[i].value), 0, "%s: %s", good[i].value, error);
        cr_assert_eq(sm_settings.arena_size, good[i].bytes, "%s", good[i].value);
        cr_assert_eq(set("PREFAULT", good[i].value), 0, "%s: %s", good[i].value, error);
        cr_assert_eq(sm_settings.prefault, good[i].bytes, "%s", good[i].value);
    }
    cr_assert_eq(set("PREFAULT", "0"), 0);
    cr_assert_eq(sm_settings.prefault, 0);
    cr_assert_eq(set("PREFAULT", "1"), 0);
    cr_assert_eq(sm_settings.prefault, 1);
}

Test(settings, bad_sizes)
{
    static const char *const bad[] = {
        "",
        "-1",
        "+64K",
        " 64K",
        "64K ",
        "64KB",
        "64 K",
        "K",
        "x",
        "0x10",
        "1.5G",
        "1e6",
        "2T",
        "1025G",
        "64P",
        "64KK",
        "1,000",
        "1099511627777",
        "99999999999999999999999999",
        "18446744073709551616",
        "18014398509481984K",
    };
    const struct sm_settings before = sm_settings;
    char wanted[256];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(set("ARENA_SIZE", bad[i]), -1, "%s", bad[i]);
        snprintf(wanted, sizeof(wanted),
                 "SECRETSSL_ARENA_SIZE=%s: accepted values are 64K to 1T," SIZES, bad[i]);
        cr_assert_str_eq(error, wanted);
        cr_assert_eq(set("PREFAULT", bad[i]), -1, "%s", bad[i]);
        snprintf(wanted, sizeof(wanted),
                 "SECRETSSL_PREFAULT=%s: accepted values are 0 to 1T," SIZES, bad[i]);
        cr_assert_str_eq(error, wanted);
    }
    /* Too small for an arena, but not to be made present. */
    cr_assert_eq(set("ARENA_SIZE", "65535"), -1);
    cr_assert_eq(set("ARENA_SIZE", "63K"), -1);
    cr_assert_eq(set("ARENA_SIZE", "0"), -1);
    cr_assert(memcmp(&before, &sm_settings, sizeof(before)) == 0);
}

static const struct choice {
    const char *name;
    const int *target;
    const char *words[4];
    const char *accepted;
} choices[] = {
    {"REQUIRE", &sm_settings.require, {"0", "1"}, "0 or 1"},
    {"UNCACHED", &sm_settings.uncached, {"off", "prefer", "require"}, "off, prefer or require"},
    {"ROUTE", &sm_settings.route, {"all", "keys"}, "all or keys"},
    {"FORK", &sm_settings.fork, {"copy", "deny"}, "copy or deny"},
    {"FORK_COPY", &sm_settings.fork_copy, {"kernel", "library"}, "kernel or library"},
    {"ZERO", &sm_settings.zero, {"0", "1"}, "0 or 1"},
    {"STATS", &sm_settings.stats, {"0", "1"}, "0 or 1"},
    {"TRACE", &sm_settings.trace, {"0", "1"}, "0 or 1"},
    {"DROP_CACHE", &sm_settings.drop_cache, {"0", "1"}, "0 or 1"},
    {"SEAL", &sm_settings.seal, {"off", "prefer", "require"}, "off, prefer or require"},
    {"SESSIONS", &sm_settings.sessions, {"plain", "sealed"}, "plain or sealed"},
    {"FUNCTIONS", &sm_settings.functions, {"refuse", "ignore"}, "refuse or ignore"},
    {"MLOCK", &sm_settings.mlock, {"auto", "off"}, "auto or off"},
};
#define CHOICES (sizeof(choices) / sizeof(choices[0]))

Test(settings, choices)
{
    for (size_t c = 0; c < CHOICES; c++) {
        for (int w = 0; choices[c].words[w]; w++) {
            cr_assert_eq(set(choices[c].name, choices[c].words[w]), 0, "%s", error);
            cr_assert_eq(*choices[c].target, w, "%s=%s", choices[c].name, choices[c].words[w]);
        }
    }
}

Test(settings, bad_choices)
{
    static const char *const bad[] = {"",    "2",   "-1", "yes", "on",
                                      "Off", "ALL", "0 ", " 1",  "00"};
    const struct sm_settings before = sm_settings;
    char wanted[256];

    for (size_t c = 0; c < CHOICES; c++) {
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            cr_assert_eq(set(choices[c].name, bad[i]), -1, "%s=%s", choices[c].name, bad[i]);
            snprintf(wanted, sizeof(wanted), "SECRETSSL_%s=%s: accepted values are %s",
                     choices[c].name, bad[i], choices[c].accepted);
            cr_assert_str_eq(error, wanted);
        }
    }
    cr_assert(memcmp(&before, &sm_settings, sizeof(before)) == 0);
}

Test(settings, log)
{
    char path[SM_LOG_PATH_MAX + 1];

    cr_assert_eq(set("LOG", "syslog"), 0);
    cr_assert_eq(sm_settings.log, SM_LOG_SYSLOG);
    cr_assert_eq(set("LOG", "none"), 0);
    cr_assert_eq(sm_settings.log, SM_LOG_NONE);
    cr_assert_eq(set("LOG", "stderr"), 0);
    cr_assert_eq(sm_settings.log, SM_LOG_STDERR);
    cr_assert_eq(set("LOG", "/var/log/secretssl.log"), 0);
    cr_assert_eq(sm_settings.log, SM_LOG_FILE);
    cr_assert_str_eq(sm_settings.log_path, "/var/log/secretssl.log");
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[SM_LOG_PATH_MAX - 1] = '\0';
    cr_assert_eq(set("LOG", path), 0);
    cr_assert_str_eq(sm_settings.log_path, path);
}

Test(settings, bad_log)
{
    static const char *const bad[] = {"", "relative/path", "stdout", "Stderr", "syslog "};
    const struct sm_settings before = sm_settings;
    char path[SM_LOG_PATH_MAX + 1], wanted[256];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(set("LOG", bad[i]), -1, "%s", bad[i]);
        snprintf(
            wanted, sizeof(wanted),
            "SECRETSSL_LOG=%s: accepted values are stderr, syslog, none or an absolute path",
            bad[i]);
        cr_assert_str_eq(error, wanted);
    }
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[SM_LOG_PATH_MAX] = '\0';
    cr_assert_eq(set("LOG", path), -1);
    cr_assert_not_null(strstr(error, "xxx...: accepted values are stderr, syslog"), "%s",
                       error);
    cr_assert(memcmp(&before, &sm_settings, sizeof(before)) == 0);
}

Test(settings, names)
{
    static const char *const unknown[] = {
        "",      "ARENA",      "ARENA_SIZES",    "arena_size",
        "LOG=x", "SECRETSSL_", "SECRETSSL_LOGS", "SECRETSSL_SECRETSSL_LOG"};

    cr_assert_eq(set("SECRETSSL_ARENA_SIZE", "1M"), 0);
    cr_assert_eq(sm_settings.arena_size, SM_MIB);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        cr_assert_eq(set(unknown[i], "1"), -2, "%s", unknown[i]);
        cr_assert(strstr(error, ": no such setting"), "%s", error);
    }
}

Test(settings, one_line)
{
    cr_assert_eq(set("ROUTE", "keys\nsecretssl: all is well\x1b[2K"), -1);
    cr_assert_str_eq(error,
                     "SECRETSSL_ROUTE=keys?secretssl: all is well?[2K: accepted values are all "
                     "or keys");
}

Test(settings, environment)
{
    char *env[] = {"HOME=/",
                   "SECRETSSL_ARENA_SIZE=2M",
                   "SECRETSSL_PREFAULT=",
                   "SECRETSSL_PREFAULT_PID=1",
                   "SECRETSSL_UNKNOWN=",
                   "SECRETSSL_ROUTE=keys",
                   "XSECRETSSL_ZERO=0",
                   "SECRETSSL_REQUIRE=1",
                   "SECRETSSL_LOG=/tmp/a=b",
                   NULL};
    char *none[] = {NULL};

    cr_assert_eq(sm_settings_from_env(NULL, error, sizeof(error)), 0);
    cr_assert_eq(sm_settings_from_env(none, error, sizeof(error)), 0);
    cr_assert_eq(sm_settings_from_env(env, error, sizeof(error)), 0, "%s", error);
    cr_assert_eq(sm_settings.arena_size, 2 * SM_MIB);
    cr_assert_eq(sm_settings.prefault, 0);
    cr_assert_eq(sm_settings.route, SM_ROUTE_KEYS);
    cr_assert_eq(sm_settings.require, 1);
    cr_assert_eq(sm_settings.zero, 1);
    cr_assert_str_eq(sm_settings.log_path, "/tmp/a=b");
}

/* A name of ours that is none, and the one that was probably meant */
Test(settings, unknown_in_environment)
{
    static const char *const names[][2] = {
        {"REQUIER", "REQUIRE"},      {"require", "REQUIRE"},      {"UNCACHE", "UNCACHED"},
        {"ARENASIZE", "ARENA_SIZE"}, {"ROUTES", "ROUTE"},         {"DROPCACHE", "DROP_CACHE"},
        {"ARENA", "ARENA_SIZE"},     {"PREFAULT_PI", "PREFAULT"}, {"STAT", "STATS"}};
    char variable[64], wanted[128];
    char *env[] = {"SECRETSSL_ZERO=0", variable, "SECRETSSL_FORK=deny", NULL};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(variable, sizeof(variable), "SECRETSSL_%s=1", names[i][0]);
        snprintf(wanted, sizeof(wanted),
                 "SECRETSSL_%s: no such setting; the nearest is SECRETSSL_%s", names[i][0],
                 names[i][1]);
        sm_settings.fork = SM_FORK_COPY;
        cr_assert_eq(sm_settings_from_env(env, error, sizeof(error)), -1);
        cr_assert_str_eq(error, wanted);
        cr_assert_eq(sm_settings.fork, SM_FORK_DENY, "what follows is read");
    }
}

Test(settings, long_unknown_name)
{
    static char variable[5000] = "SECRETSSL_";
    char *env[] = {variable, NULL};

    memset(variable + 10, 'X', 4000);
    strcpy(variable + 4010, "=1");
    cr_assert_eq(sm_settings_from_env(env, error, sizeof(error)), -1);
    cr_assert(strstr(error, "XX...: no such setting; the nearest is SECRETSSL_"), "%s", error);
    cr_assert_lt(strlen(error), 150);
}

/* execve() passes any strings on; one without '=' is no variable. */
Test(settings, environment_without_value)
{
    char *env[] = {"SECRETSSL_REQUIRE", "SECRETSSL_ROUTE=keys", NULL};

    cr_assert_eq(sm_settings_from_env(env, error, sizeof(error)), 0, "%s", error);
    cr_assert_eq(sm_settings.require, 0);
    cr_assert_eq(sm_settings.route, SM_ROUTE_KEYS);
}

Test(settings, bad_environment)
{
    char *env[] = {"SECRETSSL_STATS=1", "SECRETSSL_FORK=share", "SECRETSSL_ZERO=0", NULL};

    cr_assert_eq(sm_settings_from_env(env, error, sizeof(error)), -1);
    cr_assert_str_eq(error, "SECRETSSL_FORK=share: accepted values are copy or deny");
    cr_assert_eq(sm_settings.fork, SM_FORK_COPY);
}
