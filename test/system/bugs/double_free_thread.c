/* SPDX-License-Identifier: Apache-2.0 */
/* Two threads free the same block, one after the other. */
#include "bug.h"
#include <pthread.h>
#include <stdlib.h>

static void *give_in_thread(void *block)
{
    give(block);
    return NULL;
}

void bug(void)
{
    char *block = take(size);
    pthread_t thread;

    expect(block);
    if (pthread_create(&thread, NULL, give_in_thread, block) != 0)
        exit(2);
    pthread_join(thread, NULL);
    if (wrong)
        give(block);
}
