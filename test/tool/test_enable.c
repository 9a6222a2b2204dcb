/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl enable: names, limits, what systemctl prints, and the drop-in. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enable/config_text.h"
#include "enable/drop_in.h"
#include "enable/sizing.h"
#include "enable/unit.h"
#include "enable/unit_name.h"
#include "spawn.h"

TestSuite(enable, .init = (void (*)(void))enter_temporary_directory,
          .fini = leave_temporary_directory, .timeout = 60);

Test(enable, names)
{
    static const char *const good[][2] = {
        {"nginx", "nginx.service"},
        {"nginx.service", "nginx.service"},
        {"postgresql@15-main", "postgresql@15-main.service"},
        {"a@b@c.service", "a@b@c.service"},
        {"openvpn-server@a\\x2db", "openvpn-server@a\\x2db.service"},
        {"php8.2-fpm", "php8.2-fpm.service"},
    };
    static const char *const bad[][2] = {
        {"", "not the name"},
        {"/etc/nginx", "not the name"},
        {"a b", "not the name"},
        {"../x", "not the name"},
        {"@a", "not the name"},
        {"nginx;id", "not the name"},
        {"x@", "is a template"},
        {"x@.service", "is a template"},
        {"ssh.socket", "not a service"},
        {"multi-user.target", "not a service"},
    };
    char name[UNIT_NAME_ROOM], lengthy[300];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cr_expect_null(unit_name_make(good[i][0], name), "%s", good[i][0]);
        cr_expect_str_eq(name, good[i][1]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *why = unit_name_make(bad[i][0], name);

        cr_assert_not_null(why, "%s", bad[i][0]);
        cr_expect_not_null(strstr(why, bad[i][1]), "%s: %s", bad[i][0], why);
    }
    memset(lengthy, 'a', sizeof(lengthy));
    lengthy[sizeof(lengthy) - 1] = '\0';
    cr_expect_not_null(strstr(unit_name_make(lengthy, name), "too long"));
    lengthy[255 - strlen(".service")] = '\0';
    cr_expect_null(unit_name_make(lengthy, name));
}

/* By hand, from the formula of docs/operations/sizing.md */
Test(enable, configurations)
{
    static const char text[] = "worker_connections 10;\n"
                               "events{worker_connections 768;} # worker_connections 9999;\n"
                               "  # worker_connections 8888;\n"
                               "my_worker_connections 7777; worker_connections_of 6666;\n"
                               "\tWORKER_CONNECTIONS\t70;\n"
                               "worker_connections -5555; worker_connections many;\n"
                               "worker_connections\n";

    cr_expect_eq(config_most(text, "worker_connections"), 768);
    cr_expect_eq(config_count(text, "worker_connections"), 5);
    cr_expect_eq(config_most(text, "maxconn"), 0);
    cr_expect_eq(config_count("", "maxconn"), 0);
    cr_expect_eq(config_most("maxconn 18446744073709551615", "maxconn"), UINT64_MAX);
}

Test(enable, configured_values)
{
    static const char text[] = "# env A=1;\n env\tB=1 ;env C=1;\nenvy D=1;\nenv E=";

    cr_expect(!config_has(text, "env", "A="), "a comment");
    cr_expect(config_has(text, "env", "B=") && config_has(text, "env", "C="));
    cr_expect(!config_has(text, "env", "D=") && !config_has(text, "env", "b="));
    cr_expect(config_has(text, "env", "E="), "at the end");
}

Test(enable, limits)
{
    struct load small = {.processes = 5, .certificates = 10, .connections = 1000};
    struct load large = {.processes = 5, .certificates = 10, .connections = 100000};

    cr_expect_eq(sizing_limit("nginx", &small), 512, "the least");
    /* 2 * (5 * (1152 + 260) + 100000 * 18) KiB = 3529 MiB, up to the next 64 */
    cr_expect_eq(sizing_limit("nginx", &large), 3584);
    cr_expect_gt(sizing_limit("another", &large), sizing_limit("nginx", &large));
    cr_expect_gt(sizing_limit("postgres", &large), 200 * 1024, "a process for each connection");
}

static struct unit parsed(const char *text)
{
    struct unit unit;

    cr_assert(unit_parse(strdup(text), &unit));
    return unit;
}

Test(enable, properties)
{
    struct unit unit = parsed(
        "ExecStart={ path=/usr/sbin/my server ; argv[]=/usr/sbin/my server -g x ; "
        "ignore_errors=no ; pid=5 }\nMainPID=123\nEnvironmentFiles=/a (ignore_errors=yes)"
        "\nEnvironmentFiles=/b (ignore_errors=no)\nType=\nActiveState=active\n");
    char *program = unit_program(&unit);
    size_t at = 0;

    cr_expect_str_eq(program, "/usr/sbin/my server");
    cr_expect_eq(unit_main_pid(&unit), 123);
    cr_expect_str_eq(unit_next(&unit, "EnvironmentFiles", &at), "/a (ignore_errors=yes)");
    cr_expect_str_eq(unit_next(&unit, "EnvironmentFiles", &at), "/b (ignore_errors=no)");
    cr_expect_null(unit_next(&unit, "EnvironmentFiles", &at));
    cr_expect_str_eq(unit_get(&unit, "Type"), "");
    cr_expect_str_eq(unit_get(&unit, "absent"), "");
    cr_expect(unit_is_active(&unit));
    free(program);
    unit_free(&unit);

    unit = parsed("Id=a.service\nActiveState=failed\n");
    cr_expect_null(unit_program(&unit));
    cr_expect_eq(unit_main_pid(&unit), 0);
    cr_expect(!unit_is_active(&unit));
    unit_free(&unit);
}

static void check_assigned(const char *list, const char *wanted)
{
    char *value;
    bool found = unit_assigns(list, "LD_PRELOAD", &value);

    cr_expect_eq(found, wanted != NULL, "%s", list);
    if (wanted != NULL)
        cr_expect_str_eq(value, wanted, "%s: %s", list, value);
    free(value);
}

/* As `systemctl show` prints Environment= */
Test(enable, assignments)
{
    check_assigned("", NULL);
    check_assigned("A=b \"MY_LD_PRELOAD=/x\" C=LD_PRELOAD=/y", NULL);
    check_assigned("LD_PRELOAD_PATH=/x", NULL);
    check_assigned("A=b LD_PRELOAD=/x.so C=d", "/x.so");
    check_assigned("\"A=b LD_PRELOAD=/no\" \"LD_PRELOAD=/x.so /y.so\" C=d", "/x.so /y.so");
    check_assigned("\"LD_PRELOAD=/usr/\\$LIB/x.so\" SECRETSSL_REQUIRE=1", "/usr/$LIB/x.so");
    check_assigned("A=$'a\\'b' LD_PRELOAD=/x.so", "/x.so");
    check_assigned("LD_PRELOAD=", "");
}

Test(enable, words)
{
    cr_expect(unit_list_has("a memfd_secret b", "memfd_secret"));
    cr_expect(unit_list_has("memfd_secret:EPERM", "memfd_secret"));
    cr_expect(unit_list_has("memfd_secret2 memfd_secret", "memfd_secret"));
    cr_expect(!unit_list_has("memfd_secret2 xmemfd_secret", "memfd_secret"));
    cr_expect(!unit_list_has("", "memfd_secret"));
}

Test(enable, text)
{
    struct drop_in drop_in = {.unit = "a@b.service",
                              .object = "/opt/100%/lib/libsecretssl.so",
                              .preload = "/opt/100%/$LIB/libsecretssl.so:/x.so",
                              .tool = "/usr/bin/secretssl",
                              .memlock_mib = 576,
                              .strict = true};
    char *text = drop_in_text(&drop_in), *with_call;

    cr_expect_str_eq(text, "# Written by 'secretssl enable'; 'secretssl disable a@b.service' "
                           "removes it.\n"
                           "# Settings of your own belong in another file of this directory.\n"
                           "[Unit]\n"
                           "AssertPathExists=/opt/100%%/lib/libsecretssl.so\n"
                           "\n"
                           "[Service]\n"
                           "Environment=LD_PRELOAD=/opt/100%%/$LIB/libsecretssl.so:/x.so\n"
                           "Environment=SECRETSSL_REQUIRE=1\n"
                           "LimitMEMLOCK=576M\n"
                           "ExecStartPost=+/usr/bin/secretssl stat --strict --wait=10 "
                           "${MAINPID}\n");
    drop_in.allow_call = true;
    drop_in.strict = false;
    with_call = drop_in_text(&drop_in);
    cr_expect_not_null(strstr(with_call, "\nSystemCallFilter=memfd_secret\n"));
    cr_expect_not_null(strstr(with_call, " stat --wait=10 ${MAINPID}\n"));
    free(text);
    free(with_call);

    cr_expect(drop_in_can_hold("/usr/$LIB/a.so:/b.so"));
    cr_expect(!drop_in_can_hold("/a b.so"));
    cr_expect(!drop_in_can_hold("/a\"b.so"));
    cr_expect(!drop_in_can_hold("/a\\b.so"));
}

/* A file of somebody else is neither read nor taken for ours, whatever it is. */
Test(enable, files)
{
    struct drop_in drop_in = {"a.service", "/o.so", "/o.so", "/t", 512, true, false};
    char *text = drop_in_text(&drop_in), *again;
    struct stat status;

    cr_expect_eq(drop_in_read("unit.d/x.conf", &again), DROP_IN_ABSENT);
    cr_assert(drop_in_write("unit.d/x.conf", text));
    cr_assert(stat("unit.d/x.conf", &status) == 0);
    cr_expect_eq(status.st_mode & 07777, 0644);
    cr_expect_eq(drop_in_read("unit.d/x.conf", &again), DROP_IN_OURS);
    cr_expect_str_eq(again, text);
    free(again);
    free(text);

    cr_assert(symlink("x.conf", "unit.d/link.conf") == 0);
    cr_expect_eq(drop_in_read("unit.d/link.conf", &again), DROP_IN_FOREIGN);
    cr_assert(drop_in_write("unit.d/y.conf", "[Service]\n"));
    cr_expect_eq(drop_in_read("unit.d/y.conf", &again), DROP_IN_FOREIGN);
    cr_expect_null(again);
    cr_expect_eq(drop_in_read("unit.d", &again), DROP_IN_FOREIGN);

    /* The directory goes when it is empty, and no sooner. */
    cr_expect(drop_in_remove("unit.d/x.conf"));
    cr_expect(access("unit.d", F_OK) == 0);
    cr_expect(drop_in_remove("unit.d/link.conf"));
    cr_expect(drop_in_remove("unit.d/y.conf"));
    cr_expect(access("unit.d", F_OK) != 0);
    cr_expect(!drop_in_write("no/such/directory/x.conf", "x"));
    cr_expect_eq(errno, ENOENT);
}

static void check_refused(struct outcome outcome, const char *text)
{
    check_message(outcome, 2, text);
}

/* What is refused before systemd is asked */
Test(enable, arguments)
{
    check_refused(TOOL_RUN("enable"), "no unit given");
    check_refused(TOOL_RUN("disable"), "no unit given");
    check_refused(TOOL_RUN("status"), "no unit given");
    check_refused(TOOL_RUN("enable", "a", "b"), "'a' and 'b': give one unit");
    check_refused(TOOL_RUN("disable", "a", "b"), "give one unit");
    check_refused(TOOL_RUN("status", "a", "b"), "give one unit");
    check_refused(TOOL_RUN("enable", "--memlock=1K", "a"), "1M to 1T");
    check_refused(TOOL_RUN("enable", "--memlock=2T", "a"), "'2T'");
    check_refused(TOOL_RUN("enable", "--connections=0", "a"), "1 to 10000000");
    check_refused(TOOL_RUN("enable", "--connections=many", "a"), "'many'");
    check_refused(TOOL_RUN("enable", "--certificates=-1", "a"), "--certificates '-1'");
    check_refused(TOOL_RUN("enable", "--now", "--dry-run", "a"), "exclude each other");
    check_refused(TOOL_RUN("enable", "--key=/dev/null", "a"), "--key is for --now");
    check_refused(TOOL_RUN("enable", "--now", "--key=/no/such", "a"),
                  "'/no/such' cannot be read");
    check_refused(TOOL_RUN("enable", "/a"), "'/a' is not the name of a unit");
    check_refused(TOOL_RUN("status", "x@"), "'x@' is a template");
    check_refused(TOOL_RUN("disable", "a.timer"), "'a.timer' is not a service");

    struct outcome outcome = TOOL_RUN("enable", "--frobnicate", "a");

    cr_expect_eq(outcome.status, 2);
    cr_expect_not_null(strstr(outcome.err, "'--frobnicate'\n"), "%s", outcome.err);
    outcome_free(&outcome);
}
