// SPDX-License-Identifier: GPL-2.0-only
/*
 * First process of the guest once its root is in place: runs the command, carries its output to
 * one virtio-serial port and its exit status to another, and powers the machine off.
 *
 * usage: guest-run OUTPUT-PORT STATUS-PORT COMMAND-FILE
 *
 * COMMAND-FILE holds the directory and then the words of the command, a NUL after each. The
 * status port can be opened once only and is kept from the command: nothing it prints is a
 * status.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a killed process may keep the output open, in milliseconds. */
#define LAST_WORDS_MS 5000

static char *const environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "USER=root",
    "LOGNAME=root",
    "SHELL=/bin/sh",
    "LANG=C.UTF-8",
    NULL,
};

/* Without a status the lab reports a guest that ended by itself, and shows the console. */
static void __attribute__((noreturn, format(printf, 1, 2))) give_up(const char *format, ...)
{
    int saved = errno;
    int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (log >= 0)
        dprintf(log, "lab: guest-run: %s: %s\n", text, strerror(saved));
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}

/* The words of a file, a NUL after each; the array ends with NULL. */
static char **read_words(const char *path)
{
    struct stat file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &file) != 0)
        give_up("%s", path);

    size_t size = (size_t)file.st_size;
    char *text = calloc(size + 1, 1);
    /* No word is shorter than its NUL. */
    char **words = calloc(size + 1, sizeof(*words));
    if (!text || !words || read(fd, text, size) != (ssize_t)size)
        give_up("%s", path);
    close(fd);

    size_t count = 0;
    for (char *word = text; word < text + size; word += strlen(word) + 1)
        words[count++] = word;
    if (count < 2) {
        errno = EINVAL;
        give_up("%s", path);
    }
    return words;
}

static void __attribute__((noreturn)) become_command(char **words, int output)
{
    sigset_t none;
    int null = open("/dev/null", O_RDONLY);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    if (dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        _exit(125);
    if (null > STDERR_FILENO)
        close(null);
    if (chdir(words[0]) != 0) {
        dprintf(STDERR_FILENO, "lab: %s: %s\n", words[0], strerror(errno));
        _exit(125);
    }
    execvpe(words[1], words + 1, environment);

    int status = errno == ENOENT ? 127 : 126;
    dprintf(STDERR_FILENO, "lab: %s: %s\n", words[1], strerror(errno));
    _exit(status);
}

static void write_all(int port, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = write(port, data, size);
        if (count < 0 && errno != EINTR && errno != EAGAIN)
            give_up("write to a port");
        if (count > 0) {
            data += count;
            size -= (size_t)count;
        }
    }
}

/* write() returns before the host has the data; the port is writable again once it has them. */
static void drain(int port)
{
    struct pollfd wait = {.fd = port, .events = POLLOUT};

    while (poll(&wait, 1, -1) < 0 && errno == EINTR)
        ;
}

/* Reaps whatever has ended, and answers true once the command is among it. */
static int reap(pid_t command, int *status)
{
    int found = 0, ended;
    pid_t pid;

    while ((pid = waitpid(-1, &ended, WNOHANG)) > 0) {
        if (pid == command) {
            *status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
            found = 1;
        }
    }
    return found;
}

/* Forwards the output until the command has ended, then what those it left behind had written.
 */
static int attend(pid_t command, int output, int port, int signals)
{
    struct pollfd events[] = {{.fd = output, .events = POLLIN},
                              {.fd = signals, .events = POLLIN}};
    struct signalfd_siginfo ignored;
    char data[32768];
    int status = 0, ended = 0, open = 1;

    while (open || !ended) {
        int ready = poll(events, 2, ended ? LAST_WORDS_MS : -1);
        if (ready == 0)
            break;
        if (ready < 0 && errno != EINTR)
            give_up("poll");
        if (ready < 0)
            continue;

        if (events[0].revents) {
            ssize_t count = read(output, data, sizeof(data));
            if (count > 0) {
                write_all(port, data, (size_t)count);
            } else if (count == 0) {
                open = 0;
                events[0].fd = -1;
            }
        }
        if (events[1].revents) {
            if (read(signals, &ignored, sizeof(ignored)) < 0)
                give_up("signalfd");
            if (reap(command, &status)) {
                ended = 1;
                /* The machine goes with the command: end whatever it left running. */
                kill(-1, SIGKILL);
            }
        }
    }
    return status;
}

int main(int argc, char **argv)
{
    sigset_t child;
    int ends[2];
    char text[16];

    if (argc != 4) {
        errno = EINVAL;
        give_up("usage: guest-run OUTPUT-PORT STATUS-PORT COMMAND-FILE");
    }
    int output_port = open(argv[1], O_WRONLY | O_CLOEXEC);
    int status_port = open(argv[2], O_WRONLY | O_CLOEXEC);
    if (output_port < 0 || status_port < 0)
        give_up("could not open the ports");
    char **words = read_words(argv[3]);

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    int signals = signalfd(-1, &child, SFD_CLOEXEC);
    if (signals < 0 || pipe2(ends, O_CLOEXEC) != 0)
        give_up("could not start");

    pid_t command = fork();
    if (command < 0)
        give_up("fork");
    if (command == 0)
        become_command(words, ends[1]);
    close(ends[1]);

    int status = attend(command, ends[0], output_port, signals);
    drain(output_port);
    int length = snprintf(text, sizeof(text), "%d\n", status);
    write_all(status_port, text, (size_t)length);
    drain(status_port);
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}
