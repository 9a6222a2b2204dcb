/* SPDX-License-Identifier: Apache-2.0 */
/* Makes more thread keys than lie in a thread itself, opens a library, allocates in two threads
 * and waits to be killed.
 *
 *   keys LIBRARY FUNCTION NAME
 *
 * It has done so when its name (comm) is NAME. */
#include "common.h"
#include "library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define KEYS 40

static pthread_key_t keys[KEYS];
static malloc_fn *take; /* or one that asks for the size only */

static void *take_one(void *result)
{
    return take(100, __FILE__, __LINE__) ? result : NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    void *done = NULL;

    if (argc != 4) {
        fprintf(stderr, "usage: %s LIBRARY FUNCTION NAME\n", argv[0]);
        return 2;
    }
    for (int i = 0; i < KEYS; i++) {
        if (pthread_key_create(&keys[i], NULL) != 0 ||
            pthread_setspecific(keys[i], &keys[i]) != 0)
            broken("pthread_key_create");
    }
    take = (malloc_fn *)symbol(opened(argv[1], RTLD_NOW), argv[2]);
    if (!take_one(&keys) || pthread_create(&thread, NULL, take_one, &keys) != 0 ||
        pthread_join(thread, &done) != 0 || !done)
        broken("a block");
    for (int i = 0; i < KEYS; i++) {
        if (pthread_getspecific(keys[i]) != &keys[i])
            broken("the value of a key");
    }
    prctl(PR_SET_NAME, argv[3]);
    for (;;)
        pause();
}
