/* SPDX-License-Identifier: Apache-2.0 */
/* Eight threads free blocks that are free, at about the same time. */
#include "bug.h"
#include <pthread.h>
#include <stdlib.h>

static pthread_barrier_t barrier;

static void *give_again(void *block)
{
    pthread_barrier_wait(&barrier);
    if (wrong)
        give(block);
    return NULL;
}

void bug(void)
{
    char *blocks[8];
    pthread_t threads[8];

    pthread_barrier_init(&barrier, NULL, 8);
    for (int i = 0; i < 8; i++)
        blocks[i] = take(size);
    for (int i = 0; i < 8; i++) {
        expect(blocks[i]);
        give(blocks[i]);
        if (pthread_create(&threads[i], NULL, give_again, blocks[i]) != 0)
            exit(2);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}
