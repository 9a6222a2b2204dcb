/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of leaks.c whose call stacks are many, of libraries that come and go, or cut off. */
#include "leaks.h"
#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static SEEN void left(unsigned bits, int depth);
static SEEN void right(unsigned bits, int depth);

static inline __attribute__((always_inline)) void next(unsigned bits, int depth)
{
    if (depth == 0)
        GIVE(TAKE(40));
    else if (bits & 1)
        right(bits >> 1, depth - 1);
    else
        left(bits >> 1, depth - 1);
}

static SEEN void left(unsigned bits, int depth)
{
    next(bits, depth);
    __asm__ volatile("");
}

static SEEN void right(unsigned bits, int depth)
{
    next(bits, depth);
    __asm__ volatile("# another function");
}

/* More call stacks than there is room for; those that are known stay known. */
void full(void)
{
    for (unsigned i = 0;; i++) {
        three_of_100();
        if (i == 1000)
            break;
        while (number)
            GIVE(kept[--number]);
        for (unsigned bits = 0; bits < 70; bits++)
            next(70 * i + bits, 17);
    }
    one_of_5000();
}

static SEEN void place(unsigned bits, int depth)
{
    if (depth == 0)
        keep(TAKE(16));
    else if (bits & 1)
        place(bits >> 1, depth - 1);
    else
        place(bits / 2, depth - 1);
    __asm__ volatile("");
}

/* 32 of them: two calls in a function are two */
void places(void)
{
    for (unsigned bits = 0; bits < 32; bits++)
        place(bits, 5);
}

static SEEN void *take_60(size_t size)
{
    return TAKE(size);
}

/* One library after the other at the same place; the blocks of each stay. */
void reload(void)
{
    static const char *const names[] = {"one", "two", "one", "two"};
    void *(*function)(void *(*)(size_t)), *library, *at = NULL;
    char path[4096];

    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/libframes_%s.so", getenv("FRAMES"), names[i]);
        library = dlopen(path, RTLD_NOW);
        *(void **)&function = library ? dlsym(library, "take_here") : NULL;
        if (!function || (at && at != *(void **)&function))
            _exit(6);
        at = *(void **)&function;
        keep(function(take_60));
        if (i < 3)
            dlclose(library);
    }
}

#define STACK (512 << 10)

static SEEN void above_room(size_t room)
{
    volatile char *some = alloca(room);

    some[0] = 1;
    GIVE(TAKE(100));
    some[0] = 2;
}

static void *in_room(void *room)
{
    above_room((size_t)room);
    return NULL;
}

/* The stack lies in the first part of a range; nothing can be read behind it. */
static void on_stack(char *range, size_t size, size_t room)
{
    pthread_attr_t attributes;
    pthread_t thread;

    if (mprotect(range, size, PROT_READ | PROT_WRITE) != 0 ||
        pthread_attr_init(&attributes) != 0 ||
        pthread_attr_setstack(&attributes, range, size) != 0 ||
        pthread_create(&thread, &attributes, in_room, (void *)room) != 0 ||
        pthread_join(thread, NULL) != 0 || mprotect(range, size, PROT_NONE) != 0)
        _exit(7);
}

/* The same call at the same address of a stack, but the second one ends below what was above.
 */
void shorter_stack(void)
{
    char *range =
        mmap(NULL, 2 * STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (range == MAP_FAILED)
        _exit(7);
    GIVE(TAKE(10));
    on_stack(range, 2 * STACK, STACK + 64);
    on_stack(range, STACK, 64);
}
