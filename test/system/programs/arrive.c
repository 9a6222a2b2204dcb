/* SPDX-License-Identifier: Apache-2.0 */
/* A program that is not linked with libcrypto, and loads it, and others like it, later.
 *
 *   arrive KIND CASE */
#include "arrive.h"
#include "common.h"
#include "library.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void symbolic(void)
{
    check_library(opened(beside("libfake_3.so"), RTLD_NOW), "a block of 3.5 with -Bsymbolic");
}

/* Of an archive a program has those members only that it asks for: not always the version. */
static void members(void)
{
    check_library(opened(beside("libfake_members.so"), RTLD_NOW), "a block of a part");
}

static void several(void)
{
    void *real = opened(LIBCRYPTO, RTLD_NOW | RTLD_LOCAL);
    malloc_fn *m = (malloc_fn *)symbol(real, "CRYPTO_malloc");
    free_fn *f = (free_fn *)symbol(real, "CRYPTO_free");
    void *block;

    check_library(opened(beside("libfake_1.so"), RTLD_NOW), "a block of 1.1.1");
    check_library(opened(beside("libfake_3.so"), RTLD_NOW), "a block of 3.5");
    check_library(opened(beside("libfake_4.so"), RTLD_NOW), "a block of 4.0");
    block = m(100, __FILE__, __LINE__);
    check_kind(block, "a block of Debian's");
    f(block, __FILE__, __LINE__);
}

/* Debian's, whose constructor does nothing, in a library whose constructor uses it. */
static void constructor(void)
{
    void *handle = opened(beside("libearly_library.so"), RTLD_NOW | RTLD_LOCAL);
    void *(*early_block)(void) = (void *(*)(void))symbol(handle, "early_block");
    void *(*early_key)(void) = (void *(*)(void))symbol(handle, "early_key");

    check_kind(early_block(), "a block that the library's constructor took");
    check_kind(early_key(), "a key that it made");

    pid_t child = fork();
    if (child == 0) {
        check_kind(early_key(), "the key in a child");
        _exit(*(volatile char *)early_block() == 1 ? 0 : 1);
    }
    check(status_of(child) == 0, "a child has the contents");
}

static void *open_and_use(void *argument)
{
    for (int i = 0; i < 20; i++) {
        void *handle = opened(LIBCRYPTO, RTLD_NOW);
        malloc_fn *m = (malloc_fn *)symbol(handle, "CRYPTO_malloc");
        free_fn *f = (free_fn *)symbol(handle, "CRYPTO_free");
        void *block = m(100, __FILE__, __LINE__);

        if (kind_of(block) != expected)
            *(bool *)argument = false;
        f(block, __FILE__, __LINE__);
    }
    return NULL;
}

/* It arrives in eight threads at once, while the first one forks. */
static void threads(void)
{
    pthread_t ids[8];
    bool good = true;
    int whole_children = 0;

    for (int i = 0; i < 8; i++) {
        if (pthread_create(&ids[i], NULL, open_and_use, &good) != 0)
            broken("pthread_create");
    }
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        whole_children += status_of(child) == 0;
    }
    for (int i = 0; i < 8; i++)
        pthread_join(ids[i], NULL);
    check(good, "every block is where it belongs");
    check(whole_children == 20, "%d of 20 children", whole_children);
}

/* What was known of one that is unloaded is not asked any more. */
static void unloaded(void)
{
    void *handle = opened(beside("libfake_1.so"), RTLD_NOW | RTLD_LOCAL);

    check_library(handle, "a block of 1.1.1");
    check(dlclose(handle) == 0, "it is closed");
    /* What comes next is to lie elsewhere. */
    for (int i = 0; i < 8; i++)
        (void)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check_library(opened(beside("libfake_3.so"), RTLD_NOW), "a block of 3.5");
    handle = dlmopen(LM_ID_NEWLM, beside("libfake_4.so"), RTLD_NOW | RTLD_LOCAL);
    check(handle && dlclose(handle) == 0, "one in a name space of its own is closed");
    check_library(opened(beside("libfake_4.so"), RTLD_NOW), "a block of 4.0");
}

static void *user_block(const char *name)
{
    void *handle = opened(beside(name), RTLD_NOW | RTLD_LOCAL);

    return ((void *(*)(void))symbol(handle, "foreign_block"))();
}

static void check_foreign(const void *block, const char *what)
{
    check(kind_of(block) == MEMORY_ORDINARY, "%s: ordinary memory", what);
}

/* The first that comes is foreign: only those that are linked with it are its own. */
static void after_foreign(void)
{
    void *handle;

    opened(beside("libfake_libressl.so"), RTLD_NOW | RTLD_LOCAL);
    check_kind(user_block("libserved_user.so"), "a block of what is linked with 3.5");
    check_foreign(user_block("libforeign_user.so"), "of what is linked with the foreign one");
    handle = opened(beside("libearly_library.so"), RTLD_NOW | RTLD_LOCAL);
    check_kind(((void *(*)(void))symbol(handle, "early_block"))(), "with Debian's");
    handle = opened(LIBCRYPTO, RTLD_NOW | RTLD_LOCAL);
    check_kind(((malloc_fn *)symbol(handle, "CRYPTO_malloc"))(100, __FILE__, __LINE__),
               "with none");
}

/* Its constructor runs before it is known with what it came. */
static void foreign_constructor(void)
{
    check_foreign(user_block("libearly_libressl_user.so"), "a block of a constructor");
    check_foreign(user_block("libearly_late_user.so"), "of one with a late libcrypto");
}

/* Only the C library can tell what these callers mean, and it returns to them. */
static void passed_on(void)
{
    void *search = opened(beside("libsearch_runpath.so"), RTLD_NOW);
    open_fn *open_it = (open_fn *)symbol(search, "search_and_open");
    open_fn *in_space = (open_fn *)symbol(search, "search_in_new_space");
    void *handle = open_it("libfake_deep.so", RTLD_NOW | RTLD_LOCAL);

    check(handle != NULL, "found by the caller's RUNPATH");
    check_library(handle, "a block of it");
    handle = in_space("libfake_deep.so", RTLD_NOW | RTLD_LOCAL);
    check(handle != NULL, "found for a name space");
    check_library(handle, "a block of it there");
    handle = open_it("$ORIGIN/libearly_libressl_user.so", RTLD_NOW | RTLD_LOCAL);
    check(handle != NULL, "found by the caller's $ORIGIN");
    check_foreign(((void *(*)(void))symbol(handle, "foreign_block"))(),
                  "a block of its constructor");
}

/* Two of one name, the second of which cannot be served: whoever asks has the first. */
static void twins(void)
{
    opened(beside("libfake_3.so"), RTLD_NOW | RTLD_LOCAL);
    opened(beside("twin/libfake_3.so"), RTLD_NOW | RTLD_LOCAL);
    check_kind(user_block("libserved_user.so"), "a block of what is linked with the first");
}

static void twins_turned(void)
{
    opened(beside("twin/libfake_3.so"), RTLD_NOW | RTLD_LOCAL);
    opened(beside("libfake_3.so"), RTLD_NOW | RTLD_LOCAL);
    check_foreign(user_block("libserved_user.so"), "a block of what is linked with the first");
}

/* arrive_foreign: the program is linked with a foreign one. */
static void at_start(void)
{
    check_foreign(user_block("libnameless_user.so"), "a block of what names none");
    check_kind(user_block("libserved_user.so"), "of what is linked with 3.5");
    check_foreign(user_block("libforeign_user.so"), "of what is linked with the program's");
}

static atomic_bool over;

static void *open_and_close(void *name)
{
    for (int i = 0; i < 2000; i++)
        dlclose(opened(name, RTLD_NOW));
    atomic_store(&over, true);
    return NULL;
}

/* Libraries come and go while one that is linked with a libcrypto we leave alone uses it. */
static void user_of_foreign(void)
{
    void *served = opened(beside("libfake_3.so"), RTLD_NOW | RTLD_LOCAL), *user;
    void *(*take)(void);
    struct range secret;
    char name[2 * PATH_MAX];
    unsigned wrong = 0;
    pthread_t thread;

    check_library(served, "a block of the one that is served");
    user = opened(beside("libforeign_user.so"), RTLD_NOW | RTLD_LOCAL);
    take = (void *(*)(void))symbol(user, "foreign_block");
    secret = secret_range();
    snprintf(name, sizeof(name), "%s", beside("deep/libdeep_1.so"));
    if (pthread_create(&thread, NULL, open_and_close, name) != 0)
        broken("pthread_create");
    while (!atomic_load(&over)) {
        void *block = take();
        if ((uintptr_t)block >= secret.start && (uintptr_t)block < secret.end)
            wrong++;
        else
            free(block);
    }
    pthread_join(thread, NULL);
    check(wrong == 0, "%u blocks from the wrong allocator", wrong);
}

static int fork_in_callback(struct dl_phdr_info *info, size_t size, void *well)
{
    pid_t child;

    (void)info, (void)size;
    sleep_seconds(0.001); /* until the other thread waits, wherever it is */
    child = fork();
    if (child == 0)
        _exit(0);
    *(bool *)well = *(bool *)well && status_of(child) == 0;
    return 1;
}

/* Forks while the linker's list is locked, and another thread has libcryptos looked for. */
static void fork_in_list(void)
{
    bool well = true;
    char name[2 * PATH_MAX];
    pthread_t thread;
    int forks = 0;

    check_library(opened(beside("libfake_3.so"), RTLD_NOW | RTLD_LOCAL), "a block");
    snprintf(name, sizeof(name), "%s", beside("deep/libdeep_1.so"));
    if (pthread_create(&thread, NULL, open_and_close, name) != 0)
        broken("pthread_create");
    for (; forks < 500; forks++) {
        dl_iterate_phdr(fork_in_callback, &well);
        sleep_seconds((forks % 10) * 0.00001);
    }
    pthread_join(thread, NULL);
    check(well, "%d children, and all are well", forks);
}

/* First of all here: nothing has used stdio yet. */
static void waiting(void)
{
    void *handle = opened(beside("libwaiting_library.so"), RTLD_NOW | RTLD_LOCAL);

    check(*(int *)symbol(handle, "waited") == 1, "its constructor's thread read a file");
}

/* An empty table of libcryptos costs nothing: fork, dlopen of something else. */
static void nothing(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    check(status_of(child) == 0, "a child");
    opened("libm.so.6", RTLD_NOW);
    check(secret_bytes() == 0, "no secret memory without libcrypto");
    check(dlsym(RTLD_DEFAULT, "CRYPTO_malloc") == NULL && dlerror() != NULL,
          "dlsym finds none of its functions");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"symbolic", symbolic},
        {"members", members},
        {"several", several},
        {"late", arrive_late},
        {"libressl", arrive_libressl},
        {"boringssl", arrive_boringssl},
        {"boringssl_by_name", arrive_boringssl_by_name},
        {"boringssl_elsewhere", arrive_boringssl_elsewhere},
        {"boringssl_of_android", arrive_boringssl_of_android},
        {"old", arrive_old},
        {"old_members", arrive_old_members},
        {"constructor", constructor},
        {"threads", threads},
        {"nothing", nothing},
        {"unloaded", unloaded},
        {"after_foreign", after_foreign},
        {"foreign_constructor", foreign_constructor},
        {"passed_on", passed_on},
        {"twins", twins},
        {"twins_turned", twins_turned},
        {"at_start", at_start},
        {"user_of_foreign", user_of_foreign},
        {"fork_in_list", fork_in_list},
        {"waiting", waiting},
        {NULL, NULL},
    };

    return run_case(cases, argc, argv);
}
