/* SPDX-License-Identifier: Apache-2.0 */
/* SECRETSSL_LOG=syslog with a /dev/log of the test's own. */
#include "base/counters.h"
#include "base/settings.h"
#include "log/log.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char text[4096];

static int listen_at(const char *path, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, path);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static void choose(const char *log)
{
    char error[64];

    sm_log_init("speaker");
    CHECK(sm_settings_set("LOG", log, error, sizeof(error)) == 0);
}

static void say(const char *what)
{
    errno = EDOM;
    sm_log("%s", what);
    CHECK(errno == EDOM);
}

static void expect(int fd, const char *what)
{
    char got[256] = "", expected[256];

    CHECK(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT) > 0);
    snprintf(expected, sizeof(expected), "<28>speaker: [%d] %s", getpid(), what);
    CHECK(strcmp(got, expected) == 0);
}

static void to_datagrams(void *arg)
{
    int fd;

    private_dev();
    fd = listen_at("/dev/log", SOCK_DGRAM);
    choose(arg);
    say("one");
    say("two");
    if (strcmp(arg, "syslog") == 0) {
        expect(fd, "one");
        expect(fd, "two");
    }
    CHECK(recv(fd, text, sizeof(text), MSG_DONTWAIT) < 0);
    CHECK(sm_stats.messages_lost == 0);
}

Test(syslog, datagrams)
{
    cr_assert_eq(in_child_saying(to_datagrams, "syslog", text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
    /* The control: nothing comes there by another way. */
    cr_assert_eq(in_child_saying(to_datagrams, "stderr", text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "speaker: ["), 2, "%s", text);
}

static void to_a_stream(void *arg)
{
    char got[256] = "";
    int fd, peer;

    private_dev();
    fd = listen_at("/dev/log", SOCK_STREAM);
    CHECK(listen(fd, 5) == 0);
    choose(arg);
    say("to a stream");
    peer = accept(fd, NULL, NULL);
    CHECK(peer >= 0);
    CHECK(recv(peer, got, sizeof(got), 0) == (ssize_t)strlen(got) + 1);
    CHECK(strstr(got, "<28>speaker: [") == got && strstr(got, "] to a stream"));
}

Test(syslog, stream)
{
    cr_assert_eq(in_child_saying(to_a_stream, "syslog", text, sizeof(text)), 0, "%s", text);
    cr_assert_str_eq(text, "");
}

/* The daemon does not read: nobody waits for it, and the message is on stderr. */
static void to_a_full_one(void *arg)
{
    char got[256];
    int fd, arrived = 0;

    private_dev();
    fd = listen_at("/dev/log", SOCK_DGRAM);
    choose(arg);
    alarm(150); /* waiting for the daemon would take for ever */
    for (int i = 0; i < 5000; i++)
        say("many");
    while (recv(fd, got, sizeof(got), MSG_DONTWAIT) > 0)
        arrived++;
    CHECK(sm_stats.messages_lost == 0);
    dprintf(2, "arrived %d\n", arrived);
    say("room again");
    expect(fd, "room again");
}

Test(syslog, full)
{
    static char much[1 << 20];
    int arrived = 0;

    cr_assert_eq(in_child_saying(to_a_full_one, "syslog", much, sizeof(much)), 0, "%s", much);
    cr_assert_eq(sscanf(strstr(much, "arrived "), "arrived %d", &arrived), 1);
    cr_assert_gt(arrived, 0);
    cr_assert_lt(arrived, 5000);
    cr_assert_eq(count_of(much, "] many\n"), 5000U - (unsigned)arrived);
    cr_assert_eq(count_of(much, "room again"), 0);
}

/* Out of reach of /dev/log: on stderr while that is what it was, else counted. */
static void from_a_chroot(void *arg)
{
    int fd;

    private_dev();
    fd = listen_at("/dev/log", SOCK_DGRAM);
    choose(arg);
    CHECK(mkdir("/dev/root", 0755) == 0 && chroot("/dev/root") == 0 && chdir("/") == 0);
    say("on stderr");
    CHECK(sm_stats.messages_lost == 0);
    CHECK(recv(fd, text, sizeof(text), MSG_DONTWAIT) < 0);
    close(2);
    say("lost");
    CHECK(sm_stats.messages_lost == 1);
    /* What administrators do about it: a socket of the daemon's in there */
    CHECK(mkdir("/dev", 0755) == 0);
    fd = listen_at("/dev/log", SOCK_DGRAM);
    say("found");
    expect(fd, "found");
    CHECK(sm_stats.messages_lost == 1);
}

Test(syslog, chroot)
{
    cr_assert_eq(in_child_saying(from_a_chroot, "syslog", text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(count_of(text, "] on stderr\n"), 1, "%s", text);
    cr_assert_eq(count_of(text, "\n"), 1, "%s", text);
}

/* The helper has a table of its own, and makes room in it. */
static void without_descriptors(void *arg)
{
    int fd;

    private_dev();
    fd = listen_at("/dev/log", SOCK_DGRAM);
    choose(arg);
    while (dup(fd) >= 0)
        ;
    CHECK(errno == EMFILE);
    say("no descriptors");
    expect(fd, "no descriptors");
    CHECK(dup(fd) < 0 && errno == EMFILE);
}

Test(syslog, no_descriptors)
{
    cr_assert_eq(in_child_saying(without_descriptors, "syslog", text, sizeof(text)), 0, "%s",
                 text);
    cr_assert_str_eq(text, "");
}

static void *speak(void *arg)
{
    for (int i = 0; i < 20; i++)
        say(arg);
    return NULL;
}

/* A datagram is a whole message; no descriptor of ours is seen by the program. */
static void by_threads(void *arg)
{
    pthread_t thread[3];
    char got[256];
    int fd, highest, count = 0;

    private_dev();
    fd = listen_at("/dev/log", SOCK_DGRAM);
    choose(arg);
    highest = dup(fd);
    close(highest);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&thread[i], NULL, speak, "from a thread") == 0);
    for (int i = 0; i < 60; i++) {
        int next = dup(fd);
        CHECK(next == highest);
        close(next);
        while (recv(fd, got, sizeof(got), MSG_DONTWAIT) > 0)
            count++;
    }
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    for (ssize_t length; (length = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT)) > 0; count++) {
        got[length] = '\0';
        CHECK(strstr(got, "] from a thread") + strlen("] from a thread") == got + length);
    }
    dprintf(2, "arrived %d\n", count);
}

Test(syslog, threads)
{
    int arrived = 0;

    cr_assert_eq(in_child_saying(by_threads, "syslog", text, sizeof(text)), 0, "%s", text);
    cr_assert_eq(sscanf(strstr(text, "arrived "), "arrived %d", &arrived), 1);
    cr_assert_eq((unsigned)arrived + count_of(text, "] from a thread\n"), 60, "%s", text);
    cr_assert_gt(arrived, 0);
}
