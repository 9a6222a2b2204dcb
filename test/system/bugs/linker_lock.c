/* SPDX-License-Identifier: Apache-2.0 */
/* A double free while another thread holds the dynamic linker's lock, for good. */
#include "bug.h"
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_bool held, let_go;

static int hold(struct dl_phdr_info *info, size_t bytes, void *argument)
{
    (void)info, (void)bytes, (void)argument;
    held = true;
    while (!let_go)
        usleep(1000);
    return 1;
}

static void *hold_in_thread(void *argument)
{
    dl_iterate_phdr(hold, argument);
    return NULL;
}

void bug(void)
{
    char *block = take(size);
    pthread_t thread;

    expect(block);
    if (pthread_create(&thread, NULL, hold_in_thread, NULL) != 0)
        exit(2);
    while (!held)
        usleep(1000);
    give(block);
    if (wrong)
        give(block);
    let_go = true;
    pthread_join(thread, NULL);
}
