/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl run: what the command gets, and how it ends. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "spawn.h"

static char object[96];

/* A tree with the tool in bin, and in lib an object to preload. */
static void make_tree(void)
{
    const char *directory = enter_temporary_directory();
    struct outcome outcome =
        run_program((const char *const[]){"sh", "-c",
                                          "mkdir bin lib && cp " TOOL " bin/secretssl && "
                                          "cp " ANY_OBJECT " lib/libsecretssl.so",
                                          NULL});

    cr_assert_eq(outcome.status, 0, "%s", outcome.err);
    snprintf(object, sizeof(object), "%s/lib/libsecretssl.so", directory);
    unsetenv("LD_PRELOAD");
    for (char **at = environ; *at != NULL;) {
        char name[64];

        if (strncmp(*at, "SECRETSSL_", 10) != 0) {
            at++;
            continue;
        }
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(*at, "="), *at);
        unsetenv(name);
    }
}

TestSuite(run, .init = make_tree, .fini = leave_temporary_directory, .timeout = 60);

#define RUN(...) run_program((const char *const[]){"bin/secretssl", "run", __VA_ARGS__, NULL})

static int has_line(const char *text, const char *line)
{
    size_t length = strlen(line);

    while (*text != '\0') {
        if (strncmp(text, line, length) == 0 && (text[length] == '\n' || text[length] == '\0'))
            return 1;
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return 0;
}

static void check_error(struct outcome outcome, int status, const char *text)
{
    cr_expect_eq(outcome.status, status, "status %d: %s", outcome.status, outcome.err);
    cr_expect(strstr(outcome.err, text) != NULL, "no '%s' in: %s", text, outcome.err);
    cr_expect(strncmp(outcome.err, "secretssl: run: ", 16) == 0, "%s", outcome.err);
    cr_expect_str_eq(outcome.out, "");
    outcome_free(&outcome);
}

Test(run, environment)
{
    struct outcome outcome = RUN("--arena-size", "64M", "--prefault=1M", "--require",
                                 "--uncached", "prefer", "--route", "keys", "--", "env");
    char preload[128];

    snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", object);
    cr_expect_eq(outcome.status, 0);
    cr_expect_str_eq(outcome.err, "");
    cr_expect(has_line(outcome.out, preload), "%s", outcome.out);
    cr_expect(has_line(outcome.out, "SECRETSSL_ARENA_SIZE=64M"));
    cr_expect(has_line(outcome.out, "SECRETSSL_PREFAULT=1M"));
    cr_expect(has_line(outcome.out, "SECRETSSL_REQUIRE=1"));
    cr_expect(has_line(outcome.out, "SECRETSSL_UNCACHED=prefer"));
    cr_expect(has_line(outcome.out, "SECRETSSL_ROUTE=keys"));
}

/* Every setting can be had, by an option of its own or by its name. */
Test(run, other_settings)
{
    struct outcome outcome = RUN("--fork=deny", "--log", "/a/file", "--stats", "--trace",
                                 "--set", "ZERO=0", "--set", "SECRETSSL_DROP_CACHE=0", "env");

    cr_expect_eq(outcome.status, 0, "%s", outcome.err);
    cr_expect(has_line(outcome.out, "SECRETSSL_FORK=deny"));
    cr_expect(has_line(outcome.out, "SECRETSSL_LOG=/a/file"));
    cr_expect(has_line(outcome.out, "SECRETSSL_STATS=1"));
    cr_expect(has_line(outcome.out, "SECRETSSL_TRACE=1"));
    cr_expect(has_line(outcome.out, "SECRETSSL_ZERO=0"));
    cr_expect(has_line(outcome.out, "SECRETSSL_DROP_CACHE=0"));
}

Test(run, what_is_not_asked_for_stays)
{
    setenv("SECRETSSL_ARENA_SIZE", "8M", 1);

    struct outcome outcome = RUN("env");

    cr_expect_eq(outcome.status, 0);
    cr_expect(has_line(outcome.out, "SECRETSSL_ARENA_SIZE=8M"));
    cr_expect(strstr(outcome.out, "SECRETSSL_REQUIRE") == NULL);
    cr_expect(strstr(outcome.out, "SECRETSSL_PREFAULT") == NULL);
}

Test(run, keeps_what_is_preloaded)
{
    char both[256];

    setenv("LD_PRELOAD", ANY_OBJECT, 1);
    snprintf(both, sizeof(both), "LD_PRELOAD=%s:%s", object, ANY_OBJECT);

    struct outcome outcome = RUN("env");

    cr_expect(has_line(outcome.out, both), "%s", outcome.out);

    /* Once is enough. */
    outcome = RUN("bin/secretssl", "run", "env");
    cr_expect(has_line(outcome.out, both), "%s", outcome.out);
}

/* A path that LD_PRELOAD cannot hold. */
Test(run, blank_in_the_path)
{
    struct outcome outcome = run_program((const char *const[]){
        "sh", "-c", "mkdir 'a b' && cp -r bin lib 'a b' && exec 'a b/bin/secretssl' run env",
        NULL});

    check_error(outcome, 125, "LD_PRELOAD cannot name");
}

Test(run, no_object)
{
    cr_assert(remove("lib/libsecretssl.so") == 0);

    if (access(INSTALLED_PRELOAD, R_OK) == 0) {
        struct outcome outcome = RUN("env");

        cr_expect(has_line(outcome.out, "LD_PRELOAD=" INSTALLED_PRELOAD));
    } else {
        check_error(RUN("env"), 125, "libsecretssl.so");
    }
}

Test(run, raises_the_limit)
{
    struct rlimit limit;
    char wanted[32];

    cr_assert(getrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    if (limit.rlim_max == RLIM_INFINITY)
        limit.rlim_max = 1 << 20;
    limit.rlim_cur = limit.rlim_max / 2;
    cr_assert(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);

    struct outcome outcome = RUN("sh", "-c", "ulimit -S -l");

    snprintf(wanted, sizeof(wanted), "%llu", (unsigned long long)limit.rlim_max / 1024);
    cr_expect(has_line(outcome.out, wanted), "%s, not %s", outcome.out, wanted);
}

Test(run, exit_status)
{
    cr_expect_eq(RUN("true").status, 0);
    cr_expect_eq(RUN("sh", "-c", "exit 42").status, 42);
    cr_expect_eq(RUN("--require", "sh", "-c", "kill -TERM $$").status, 128 + 15);
}

/* Options behind COMMAND are COMMAND's. */
Test(run, arguments_of_the_command)
{
    struct outcome outcome = RUN("echo", "--require", "--help", "-x");

    cr_expect_str_eq(outcome.out, "--require --help -x\n");
    cr_expect_str_eq(outcome.err, "");
}

Test(run, cannot_execute)
{
    check_error(RUN("no-such-program"), 127, "no-such-program");
    check_error(RUN("/no/such/program"), 127, "/no/such/program");
    check_error(RUN("/"), 126, "cannot run /");
}

Test(run, bad_values)
{
    static const char *const sizes[] = {"",
                                        "0",
                                        "63K",
                                        "65535",
                                        "1025G",
                                        "2T",
                                        "64KB",
                                        "-1M",
                                        "+1M",
                                        " 1M",
                                        "1.5G",
                                        "lots",
                                        "0x10000",
                                        "99999999999999999999",
                                        "18446744073709551615G"};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        check_error(RUN("--arena-size", sizes[i], "env"), 125, "64K to 1T");
    check_error(RUN("--arena-size", "12Q", "env"), 125, "'12Q'");
    check_error(RUN("--prefault", "some", "env"), 125, "0 to 1T");
    check_error(RUN("--uncached", "maybe", "env"), 125, "off, prefer or require");
    check_error(RUN("--route", "none", "env"), 125, "all or keys");
    check_error(RUN("--fork", "none", "env"), 125, "copy or deny");
    check_error(RUN("--set", "ZERO", "env"), 125, "'ZERO'");
    check_error(RUN("--set", "=1", "env"), 125, "not a setting");
    check_error(RUN("--set", "LD-X=1", "env"), 125, "not a setting");
    check_option_error(RUN("--arena-size"), 125, "'--arena-size' requires an argument");
    check_option_error(RUN("--frobnicate", "env"), 125, "'--frobnicate'\n");
    check_option_error(RUN("--require=1", "env"), 125, "'--require' doesn't allow an argument");
    check_error(RUN("--require"), 125, "no command to run");
}

Test(run, good_sizes)
{
    static const char *const sizes[] = {"64K", "65536", "1T", "1024G", "10m", "1t"};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct outcome outcome = RUN("--arena-size", sizes[i], "--prefault", "0", "env");
        char wanted[64];

        snprintf(wanted, sizeof(wanted), "SECRETSSL_ARENA_SIZE=%s", sizes[i]);
        cr_expect_eq(outcome.status, 0, "%s: %s", sizes[i], outcome.err);
        cr_expect(has_line(outcome.out, wanted));
    }
}
