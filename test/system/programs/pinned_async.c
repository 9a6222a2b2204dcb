/* SPDX-License-Identifier: Apache-2.0 */
/* Asynchronous input by the system calls themselves: the C library has none of them. */
#include "pinned.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

int try_aio(int fd, void *page)
{
    struct iocb request = {.aio_lio_opcode = IOCB_CMD_PREAD,
                           .aio_fildes = (uint32_t)fd,
                           .aio_buf = (uintptr_t)page,
                           .aio_nbytes = PAGE};
    struct iocb *requests[] = {&request};
    struct io_event event = {0};
    aio_context_t context = 0;
    int error;

    if (syscall(SYS_io_setup, 1, &context) != 0)
        return errno;
    if (syscall(SYS_io_submit, context, 1L, requests) != 1 ||
        syscall(SYS_io_getevents, context, 1L, 1L, &event, NULL) != 1)
        error = errno;
    else
        error = event.res < 0 ? (int)-event.res : moved((ssize_t)event.res);
    syscall(SYS_io_destroy, context);
    return error;
}

struct ring {
    int fd;
    struct io_uring_params parameters;
    unsigned char *queues; /* both, IORING_FEAT_SINGLE_MMAP */
    size_t queues_size;
    struct io_uring_sqe *entry;
};

static int open_ring(struct ring *ring)
{
    const struct io_cqring_offsets *done = &ring->parameters.cq_off;

    ring->fd = (int)syscall(SYS_io_uring_setup, 1, &ring->parameters);
    if (ring->fd < 0)
        return errno;
    ring->queues_size = done->cqes + ring->parameters.cq_entries * sizeof(struct io_uring_cqe);
    if (ring->queues_size < PAGE)
        ring->queues_size = PAGE;
    ring->queues = mmap(NULL, ring->queues_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
                        IORING_OFF_SQ_RING);
    ring->entry = mmap(NULL, sizeof(*ring->entry), PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
                       (off_t)IORING_OFF_SQES);
    return ring->queues == MAP_FAILED || ring->entry == MAP_FAILED ? errno : 0;
}

static unsigned *at(const struct ring *ring, unsigned offset)
{
    return (unsigned *)(void *)(ring->queues + offset);
}

int try_ring_read(int fd, void *page)
{
    struct ring ring = {.fd = -1};
    int error = open_ring(&ring);

    if (!error) {
        const struct io_uring_cqe *done =
            (const void *)(ring.queues + ring.parameters.cq_off.cqes);
        *ring.entry = (struct io_uring_sqe){
            .opcode = IORING_OP_READ, .fd = fd, .addr = (uintptr_t)page, .len = PAGE};
        at(&ring, ring.parameters.sq_off.array)[0] = 0;
        __atomic_store_n(at(&ring, ring.parameters.sq_off.tail), 1, __ATOMIC_RELEASE);
        if (syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
            error = errno;
        else
            error = done->res < 0 ? -done->res : moved(done->res);
        munmap(ring.queues, ring.queues_size);
        munmap(ring.entry, sizeof(*ring.entry));
    }
    close(ring.fd);
    return error;
}

int try_ring_register(void *page)
{
    struct io_uring_params parameters = {0};
    struct iovec part = {page, PAGE};
    int ring = (int)syscall(SYS_io_uring_setup, 1, &parameters), error = 0;

    if (ring < 0 || syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &part, 1) < 0)
        error = errno;
    close(ring);
    return error;
}
