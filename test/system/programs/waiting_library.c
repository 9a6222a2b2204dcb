/* SPDX-License-Identifier: Apache-2.0 */
/* A library whose constructor waits for a thread that uses stdio. */
#include <pthread.h>
#include <stdio.h>

int waited;

static void *use_stdio(void *argument)
{
    FILE *file = fopen("/proc/self/status", "re");
    char text[16];

    (void)argument;
    waited = file && fread(text, 1, 4, file) == 4 && fgets(text, sizeof(text), file);
    if (file)
        fclose(file);
    return NULL;
}

__attribute__((constructor)) static void wait_for_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, use_stdio, NULL) == 0)
        pthread_join(thread, NULL);
}
