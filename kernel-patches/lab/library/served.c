// SPDX-License-Identifier: GPL-2.0-only
/*
 * served DISK LIBSECRETMEM: hibernates with processes that have keys in secret memory, by the
 * library of this project, which is to be wiped (secretmem.hibernate=wipe), and says what
 * becomes of each. It is started with the preload in the environment. The lines "wipe: WHAT
 * NUMBER" go to the kernel's log, where the library writes its own (SECRETSSL_LOG=/dev/kmsg).
 * What is here after the resume has no files: the guest's file system does not survive an
 * image.
 *
 * Each process has a key of OpenSSL. The number is 0 if it could sign with it, its exit status,
 * or -SIGNAL. "answer" is the preload's answer. "default" has the default action of SIGBUS.
 * "own" has a handler, which it set when it started. "forks" forks before it signs. "function"
 * has registered a function with libsecretmem, and "asks" asks that library.
 */
#include "../measure/say.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

static EVP_PKEY *key;

static _Noreturn void fail(const char *what)
{
    say("failed.%s %d", what, errno);
    reboot(RB_POWER_OFF);
    _exit(1);
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        fail(path);
    close(fd);
}

static bool can_sign(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char signature[256];
    size_t length = sizeof(signature);
    bool good = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(context, signature, &length, (const unsigned char *)"a", 1) == 1;

    EVP_MD_CTX_free(context);
    return good;
}

static void just_sign(void)
{
}

static void set_default(void)
{
    signal(SIGBUS, SIG_DFL);
}

static void end_with_3(int number)
{
    (void)number;
    _exit(3);
}

static void set_own(void)
{
    signal(SIGBUS, end_with_3);
}

static void set_forks(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    _exit(4); /* Not reached: the parent ends. */
}

static void *library; /* opened before there are processes: the last to end would have to close
                         its file */

static void *library_function(const char *name)
{
    void *function = library ? dlsym(library, name) : NULL;

    if (!function)
        fail(name);
    return function;
}

static void *block;

static void on_wipe(void *address, void *arg)
{
    _exit(address == block && arg == &block ? 5 : 6);
}

static void register_function(void)
{
    void *(*allocate)(size_t) = (void *(*)(size_t))library_function("secretmem_malloc");
    int (*set)(void (*)(void *, void *), void *) =
        (int (*)(void (*)(void *, void *), void *))library_function("secretmem_on_wipe");

    block = allocate(100);
    memset(block, 1, 100);
    if (set(on_wipe, &block) != 0)
        fail("on_wipe");
}

static void touch_block(void)
{
    (void)*(volatile char *)block;
}

static int (*wiped)(void);

static void look_up(void)
{
    register_function();
    wiped = (int (*)(void))library_function("secretmem_wiped");
    if (wiped() != 0)
        fail("wiped");
}

static void ask(void)
{
    _exit(wiped() == 1 ? 7 : 8);
}

static struct {
    const char *name;
    void (*before)(void), (*after)(void);
    pid_t pid;
    int go; /* its end of a pipe */
} processes[] = {
    {"answer", just_sign, just_sign, 0, 0},
    {"default", set_default, just_sign, 0, 0},
    {"own", set_own, just_sign, 0, 0},
    {"forks", just_sign, set_forks, 0, 0},
    {"function", register_function, touch_block, 0, 0},
    {"asks", look_up, ask, 0, 0},
};

#define PROCESSES (sizeof(processes) / sizeof(processes[0]))

/* Ready when it has signed once, so that everything that it takes is in memory. */
static void start(size_t i)
{
    int go[2], ready[2];
    char byte;

    if (pipe(go) != 0 || pipe(ready) != 0 || (processes[i].pid = fork()) < 0)
        fail("fork");
    if (processes[i].pid == 0) {
        key = EVP_EC_gen("P-256");
        processes[i].before();
        if (mlockall(MCL_CURRENT) != 0 || !can_sign() || write(ready[1], "", 1) != 1 ||
            read(go[0], &byte, 1) != 1)
            _exit(100);
        processes[i].after();
        _exit(can_sign() ? 0 : 101);
    }
    processes[i].go = go[1];
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1)
        fail(processes[i].name);
}

static int end_of(size_t i)
{
    int status = 0;

    if (write(processes[i].go, "", 1) != 1 ||
        waitpid(processes[i].pid, &status, 0) != processes[i].pid)
        return 200;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(int argc, char **argv)
{
    messages = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    if (argc != 3 || messages < 0)
        return 2;
    library = dlopen(argv[2], RTLD_NOW);
    for (size_t i = 0; i < PROCESSES; i++)
        start(i);
    if (swapon(argv[1], 0) != 0 || mlockall(MCL_CURRENT) != 0)
        fail("swapon");
    write_text("/sys/module/secretmem/parameters/hibernate", "wipe");
    write_text("/sys/power/disk", "shutdown");
    say("ready %zu", PROCESSES);
    int fd = open("/sys/power/state", O_WRONLY | O_CLOEXEC);
    bool made = write(fd, "disk", 4) == 4;
    say("back %d", made ? 0 : errno);
    for (size_t i = 0; i < PROCESSES; i++)
        say("%s %d", processes[i].name, end_of(i));
    say("end 0");
    reboot(RB_POWER_OFF);
    return 1;
}
