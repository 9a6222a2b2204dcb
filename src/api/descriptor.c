/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions for secret memory that goes to other processes. */
#include "api/library.h"
#include "api/own_arena.h"
#include "api/own_fork.h"
#include "api/own_malloc.h"
#include "api/own_memory.h"
#include "arena/fork_window.h"
#include "heap/thread_cache.h"
#include "os/pages.h"
#include "os/secret_file.h"
#include "secretmem.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVED_MOST 4 /* descriptors that are looked at, to close those that are too many */

/* Sets errno for a negative errno value. Returns result, or -1. */
static int fd_result(long result)
{
    if (result >= 0)
        return (int)result;
    errno = (int)-result;
    return -1;
}

SM_EXPORT int secretmem_fd_create(size_t size)
{
    if (size == 0 || size > SM_TIB)
        return fd_result(-EINVAL);
    sm_library_use();
    return fd_result(sm_secret_file_open(sm_round_up(size, sm_os_page)));
}

/* Maps at a place of its own, and publishes the entry, or gives it back. */
static void *map_and_publish(struct secretmem_arena *mapping, int fd, size_t length, int *error)
{
    char *place = sm_own_place(length);
    struct sm_thread_cache *cache;

    *error = place ? sm_secret_file_map(fd, place, length) : -ENOMEM;
    if (*error && place)
        sm_own_memory_drop(place, length, SM_KIND_NONE, false);
    cache = sm_enter();
    if (*error == 0) {
        mapping->kind = SM_KIND_SECRET;
        sm_own_publish(mapping, place, length);
    } else {
        sm_own_unclaim(mapping);
    }
    sm_leave(cache);
    return *error ? NULL : place;
}

SM_EXPORT void *secretmem_fd_map(int fd, size_t *size)
{
    struct secretmem_arena *mapping;
    int64_t length = sm_secret_file_size(fd);
    void *p = NULL;
    int error = length < 0 ? (int)length : length == 0 ? -EINVAL : 0;

    if (error == 0) {
        sm_library_use();
        sm_own_fork_init(sm_own_free);
        error = sm_own_claim(&mapping);
    }
    if (error == 0)
        p = map_and_publish(mapping, fd, sm_round_up((size_t)length, sm_os_page), &error);
    if (p && size)
        *size = (size_t)length;
    /* A limit is a lack of memory. */
    fd_result(error == -EAGAIN || error == -EFAULT ? -ENOMEM : error);
    return p;
}

SM_EXPORT int secretmem_fd_unmap(void *p)
{
    struct secretmem_arena *mapping = sm_own_arena_of(p);
    struct sm_thread_cache *cache;
    int error = 0;

    if (!p)
        return 0;
    if (!mapping || mapping->blocks_memory || mapping->start != p)
        return fd_result(-EINVAL);
    cache = sm_enter();
    sm_die_if_rawfork_child();
    if (sm_window_is_mine())
        error = -EBUSY;
    else
        sm_own_withdraw(mapping);
    sm_leave(cache);
    if (error)
        return fd_result(error);
    sm_own_memory_drop(p, mapping->length, SM_KIND_NONE, false);
    cache = sm_enter();
    sm_own_unclaim(mapping);
    sm_leave(cache);
    return 0;
}

union rights {
    struct cmsghdr header;
    char room[CMSG_SPACE(RECEIVED_MOST * sizeof(int))];
};

SM_EXPORT int secretmem_fd_send(int socket, int fd)
{
    char byte = 0;
    struct iovec bytes = {&byte, 1};
    union rights rights = {0};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = rights.room,
                             .msg_controllen = CMSG_SPACE(sizeof(fd))};
    int64_t length = sm_secret_file_size(fd);

    if (length < 0)
        return fd_result(length);
    rights.header.cmsg_level = SOL_SOCKET;
    rights.header.cmsg_type = SCM_RIGHTS;
    rights.header.cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(&rights.header), &fd, sizeof(fd));
    return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* Copies the descriptors of a message. Returns their number. */
static size_t descriptors_in(struct msghdr *message, int fds[RECEIVED_MOST])
{
    size_t count = 0;

    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        size_t length = at->cmsg_len - CMSG_LEN(0);
        if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS ||
            count + length / sizeof(int) > RECEIVED_MOST)
            continue;
        memcpy(fds + count, CMSG_DATA(at), length);
        count += length / sizeof(int);
    }
    return count;
}

SM_EXPORT int secretmem_fd_receive(int socket)
{
    char byte;
    struct iovec bytes = {&byte, 1};
    union rights rights = {0};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = rights.room,
                             .msg_controllen = sizeof(rights)};
    int fds[RECEIVED_MOST];
    ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    long result = -EPROTO;
    size_t count;

    if (got < 0)
        return -1;
    count = descriptors_in(&message, fds);
    if (got == 0 && count == 0)
        result = -ECONNRESET;
    else if (count == 1 && !(message.msg_flags & MSG_CTRUNC))
        result = sm_secret_file_size(fds[0]) < 0 ? -EINVAL : fds[0];
    for (size_t i = 0; i < count && result < 0; i++)
        close(fds[i]);
    return fd_result(result);
}
