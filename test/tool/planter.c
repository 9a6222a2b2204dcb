/* SPDX-License-Identifier: Apache-2.0 */
/* A process with known copies in known places; see places.h. */
#include "places.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint8_t masked[PLANT_MOST];
static struct plant_head head;

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(99);
}

/* Byte by byte through volatile: no copy may stay behind anywhere else. */
static void unmask(void *to)
{
    volatile uint8_t *at = to;

    for (uint32_t copy = 0; copy < head.repeat; copy++) {
        for (uint32_t i = 0; i < head.size; i++)
            *at++ = masked[i] ^ MASK;
    }
}

static void *map(size_t size, int flags, int fd)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

    if (at == MAP_FAILED)
        fail("mmap");
    return at;
}

static void *anonymous(size_t size)
{
    return map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static size_t pages(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (size + page - 1) / page * page;
}

static size_t all(void)
{
    return (size_t)head.size * head.repeat;
}

static void *in_page_boundary(void)
{
    size_t room = pages(all());
    char *at = (char *)anonymous(2 * room) + room - head.size / 2 - 1;

    unmask(at);
    return at;
}

static void *in_mapping_boundary(void)
{
    size_t room = pages(all());
    char *start = anonymous(2 * room);
    char *at = start + room - head.size / 2;

    unmask(at);
    if (mprotect(start + room, room, PROT_READ) != 0)
        fail("mprotect");
    return at;
}

static int temporary_file(size_t size)
{
    static unsigned number;
    char name[64];

    snprintf(name, sizeof(name), "planted-%u", number++);

    int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);

    if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
        fail(name);
    return fd;
}

static void *in_shared(int fd, size_t room, int touch)
{
    char *at = map(room, MAP_SHARED, fd);

    unmask(at + 5);
    munmap(at, room);
    at = map(room, MAP_SHARED, fd);
    if (touch)
        (void)*(volatile char *)at;
    close(fd);
    return at + 5;
}

static void *in_private_file(void)
{
    size_t room = pages(all() + 16);
    int fd = temporary_file(room);
    char *at = (char *)map(room, MAP_PRIVATE, fd) + 3;

    unmask(at);
    close(fd);
    return at;
}

static void *in_shared_memory(void)
{
    size_t room = pages(all() + 16);
    int fd = memfd_create("planted", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, (off_t)room) != 0)
        fail("memfd");
    /* Only root can read what a process has of nameless memory but has not touched. */
    return in_shared(fd, room, geteuid() != 0);
}

static void *in_no_access(void)
{
    size_t room = pages(all() + 16);
    char *at = anonymous(room);

    unmask(at + 7);
    if (mprotect(at, room, PROT_NONE) != 0)
        fail("mprotect");
    return at + 7;
}

static void *in_reservation(void)
{
    size_t size = (size_t)1 << 40;
    char *at = map(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

    at += size / 2 - 9;
    unmask(at);
    return at;
}

static void *in_secret_memory(void)
{
    size_t room = pages(all() + 16);
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);

    if (fd < 0 || ftruncate(fd, (off_t)room) != 0)
        fail("memfd_secret");

    char *at = (char *)map(room, MAP_SHARED, fd) + 1;

    unmask(at);
    close(fd);
    return at;
}

static void *in_many_mappings(void)
{
    size_t size = (size_t)64 << 20;
    int fd = memfd_create("many", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
        fail("memfd");
    for (int i = 0; i < 8; i++) {
        volatile char *at = map(size, MAP_SHARED, fd);

        for (size_t byte = 0; byte < size; byte += 512)
            at[byte] = (char)(byte * 31 + 1);
    }
    return masked;
}

struct stack_plant {
    pthread_mutex_t lock;
    pthread_cond_t planted;
    void *at;
};

static void *thread_main(void *argument)
{
    struct stack_plant *plant = argument;
    volatile char room[8192];

    pthread_mutex_lock(&plant->lock);
    unmask((char *)room + 13);
    plant->at = (char *)room + 13;
    pthread_cond_signal(&plant->planted);
    pthread_mutex_unlock(&plant->lock);
    for (;;)
        pause();
    return NULL;
}

static void *in_thread_stack(void)
{
    static struct stack_plant plant = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
                                       NULL};
    pthread_t thread;

    plant.at = NULL;
    pthread_mutex_lock(&plant.lock);
    if (pthread_create(&thread, NULL, thread_main, &plant) != 0)
        fail("pthread_create");
    while (plant.at == NULL)
        pthread_cond_wait(&plant.planted, &plant.lock);
    pthread_mutex_unlock(&plant.lock);
    return plant.at;
}

static void *goes_on(void *unused)
{
    char byte;

    (void)unused;
    exit(read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 99);
}

static _Noreturn void end_first_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, goes_on, NULL) != 0)
        fail("pthread_create");
    pthread_exit(NULL);
}

/* Rooms that are there only once are handed out piece by piece. */
static void *piece(char *room, size_t *used, size_t size)
{
    char *at = room + *used + 1;

    *used += all() + 2;
    if (*used > size)
        fail("no room for another plant");
    unmask(at);
    return at;
}

static void *plant(char *stack, size_t *stack_used, size_t stack_size)
{
    static char data[256 * 1024];
    static size_t data_used;
    char *at;

    switch (head.place) {
    case HEAP_UNALIGNED:
    case LEADERLESS:
        at = malloc(all() + 16);
        if (at == NULL)
            fail("malloc");
        unmask(at + 11);
        return at + 11;
    case PAGE_BOUNDARY:
        return in_page_boundary();
    case MAPPING_BOUNDARY:
        return in_mapping_boundary();
    case THREAD_STACK:
        return in_thread_stack();
    case MAIN_STACK:
        return piece(stack, stack_used, stack_size);
    case STATIC_DATA:
        return piece(data, &data_used, sizeof(data));
    case SHARED_FILE:
        return in_shared(temporary_file(pages(all() + 16)), pages(all() + 16), 0);
    case PRIVATE_FILE:
        return in_private_file();
    case SHARED_MEMORY:
        return in_shared_memory();
    case NO_ACCESS:
        return in_no_access();
    case RESERVATION:
        return in_reservation();
    case SECRET_MEMORY:
        return in_secret_memory();
    case MANY_MAPPINGS:
        return in_many_mappings();
    default:
        fail("unknown place");
        return NULL;
    }
}

static int read_all(void *to, size_t size)
{
    char *at = to;

    while (size > 0) {
        ssize_t got = read(STDIN_FILENO, at, size);

        if (got <= 0)
            return 0;
        at += got;
        size -= (size_t)got;
    }
    return 1;
}

int main(void)
{
    char stack[256 * 1024];
    size_t stack_used = 0;

    /* Where a security module lets only parents look, the tests may look too. */
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    while (read_all(&head, sizeof(head)) && head.size <= sizeof(masked) &&
           read_all(masked, head.size)) {
        printf("%p\n", plant(stack, &stack_used, sizeof(stack)));
        fflush(stdout);
        if (head.place == LEADERLESS)
            end_first_thread();
    }
    return 0;
}
