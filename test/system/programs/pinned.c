/* SPDX-License-Identifier: Apache-2.0 */
/* Tries every path on which the kernel reads or writes a program's memory, with a page of the
 * heap and with one of OPENSSL_malloc. Some paths copy, others pin the page (get_user_pages),
 * which secret memory does not allow.
 *
 *   pinned KIND DIRECTORY DIRECT [PATH]...
 *
 * KIND is the memory of OPENSSL_malloc. Files are made in DIRECTORY. DIRECT is a file or a
 * device that O_DIRECT is tried with; it is written. Prints "path NAME: ERROR, ERROR", of the
 * heap and of OpenSSL, for each path or for those named. */
#include "pinned.h"
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

_Alignas(PAGE) unsigned char sent[PAGE], received[PAGE];

static const char *directory, *direct;

int moved(ssize_t bytes)
{
    return bytes < 0 ? errno : bytes == PAGE ? 0 : EBADMSG;
}

int same(const void *page)
{
    return memcmp(page, sent, PAGE) == 0 ? 0 : EBADMSG;
}

/* A file that holds the page `sent`, or -1 with errno. */
static int open_file(const char *name, int flags)
{
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);

    if (fd >= 0 && pwrite(fd, sent, PAGE, 0) != PAGE) {
        close(fd);
        return -1;
    }
    return fd;
}

static int plain_file(void)
{
    char name[512];

    snprintf(name, sizeof(name), "%s/pinned", directory);
    return open_file(name, 0);
}

static int direct_file(void)
{
    return open_file(direct, O_DIRECT);
}

static int read_from(int fd, void *page)
{
    int error = fd < 0 ? errno : moved(pread(fd, page, PAGE, 0));

    close(fd);
    return error ? error : same(page);
}

/* The file holds something else before. */
static int write_to(int fd, void *page)
{
    memset(received, 0, PAGE);
    int error = fd < 0 ? errno : moved(pwrite(fd, received, PAGE, 0));

    if (!error)
        error = moved(pwrite(fd, page, PAGE, 0));
    if (!error)
        error = moved(pread(fd, received, PAGE, 0));
    close(fd);
    return error ? error : same(received);
}

static int try_read(void *page)
{
    return read_from(plain_file(), page);
}

static int try_write(void *page)
{
    return write_to(plain_file(), page);
}

static int try_direct_read(void *page)
{
    return read_from(direct_file(), page);
}

static int try_direct_write(void *page)
{
    return write_to(direct_file(), page);
}

static int async(int fd, void *page, int (*run)(int, void *))
{
    int error = fd < 0 ? errno : run(fd, page);

    close(fd);
    return error ? error : same(page);
}

static int try_aio_read(void *page)
{
    return async(plain_file(), page, try_aio);
}

static int try_aio_direct(void *page)
{
    return async(direct_file(), page, try_aio);
}

static int try_io_uring(void *page)
{
    return async(plain_file(), page, try_ring_read);
}

static int try_vmsplice_from(void *page)
{
    struct iovec part = {page, PAGE};
    int ends[2];
    int error = pipe2(ends, O_CLOEXEC) == 0 ? moved(vmsplice(ends[1], &part, 1, 0)) : errno;

    if (!error)
        error = moved(read(ends[0], received, PAGE));
    close(ends[0]);
    close(ends[1]);
    return error ? error : same(received);
}

static int try_vmsplice_into(void *page)
{
    struct iovec part = {page, PAGE};
    int ends[2];
    int error = pipe2(ends, O_CLOEXEC) == 0 ? moved(write(ends[1], sent, PAGE)) : errno;

    if (!error)
        error = moved(vmsplice(ends[0], &part, 1, 0));
    close(ends[0]);
    close(ends[1]);
    return error ? error : same(page);
}

static int try_getrandom(void *page)
{
    return moved(getrandom(page, PAGE, 0));
}

static int try_process_from(void *page)
{
    struct iovec here = {received, PAGE}, there = {page, PAGE};
    int error = moved(process_vm_readv(getpid(), &here, 1, &there, 1, 0));

    return error ? error : same(received);
}

static int try_process_into(void *page)
{
    struct iovec here = {page, PAGE}, there = {sent, PAGE};
    int error = moved(process_vm_readv(getpid(), &here, 1, &there, 1, 0));

    return error ? error : same(page);
}

static int try_proc_mem(void *page)
{
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    int error = fd < 0 ? errno : moved(pread(fd, received, PAGE, (off_t)(uintptr_t)page));

    close(fd);
    return error ? error : same(received);
}

/* The child has a copy of the page at the same address. */
static int try_ptrace(void *page)
{
    pid_t child = fork();
    int status, error;
    long word;

    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
            raise(SIGSTOP);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
        return EPERM;
    errno = 0;
    word = ptrace(PTRACE_PEEKDATA, child, page, NULL);
    error = errno;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return error || memcmp(&word, sent, sizeof(word)) == 0 ? error : EBADMSG;
}

static int wake(void *page, int operation)
{
    return syscall(SYS_futex, page, operation, 1, NULL, NULL, 0) < 0 ? errno : 0;
}

static int try_private_futex(void *page)
{
    return wake(page, FUTEX_WAKE_PRIVATE);
}

static int try_shared_futex(void *page)
{
    return wake(page, FUTEX_WAKE);
}

static int try_populate(void *page)
{
    return madvise(page, PAGE, MADV_POPULATE_WRITE) == 0 ? 0 : errno;
}

/* Whether the kernel reads from the page, or writes into it. */
enum direction { FROM, INTO };

static const struct path {
    const char *name;
    int (*run)(void *page);
    enum direction direction;
} paths[] = {
    {"read", try_read, INTO},
    {"write", try_write, FROM},
    {"recv", try_recv, INTO},
    {"send", try_send, FROM},
    {"io_uring read", try_io_uring, INTO},
    {"AIO read", try_aio_read, INTO},
    {"vmsplice from a pipe", try_vmsplice_into, INTO},
    {"getrandom", try_getrandom, INTO},
    {"process_vm_readv, local side", try_process_into, INTO},
    {"futex, private", try_private_futex, FROM},
    {"kernel TLS 1.2, send", try_tls_send, FROM},
    {"kernel TLS 1.3, receive", try_tls13_recv, INTO},
    {"AF_ALG, cipher's input", try_alg_from, FROM},
    {"O_DIRECT read", try_direct_read, INTO},
    {"O_DIRECT write", try_direct_write, FROM},
    {"AIO read with O_DIRECT", try_aio_direct, INTO},
    {"io_uring, registered buffer", try_ring_register, FROM},
    {"vmsplice to a pipe", try_vmsplice_from, FROM},
    {"MSG_ZEROCOPY", try_zerocopy, FROM},
    {"kernel TLS 1.2, receive", try_tls12_recv, INTO},
    {"AF_ALG, digest's input", try_alg_digest, FROM},
    {"AF_ALG, cipher's output", try_alg_into, INTO},
    {"futex, shared", try_shared_futex, FROM},
    {"MADV_POPULATE_WRITE", try_populate, FROM},
    {"process_vm_readv, remote side", try_process_from, FROM},
    {"/proc/PID/mem", try_proc_mem, FROM},
    {"PTRACE_PEEKDATA", try_ptrace, FROM},
};

static const char *answer(const struct path *path, void *page)
{
    int error;

    memset(page, 0, PAGE);
    if (path->direction == FROM)
        memcpy(page, sent, PAGE);
    error = path->run(page);
    return error ? strerrorname_np(error) : "0";
}

static bool is_named(const char *name, char **names)
{
    if (!*names)
        return true;
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names;
}

/* The page within a block. */
static void *aligned(void *block)
{
    if (!block)
        broken("no memory");
    return (void *)(((uintptr_t)block + PAGE - 1) & -(uintptr_t)PAGE);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s KIND DIRECTORY DIRECT [PATH]...\n", argv[0]);
        return 2;
    }
    set_expected(argv[1]);
    directory = argv[2];
    direct = argv[3];
    fill(sent, PAGE, SEED);

    void *block = OPENSSL_malloc(2 * PAGE), *heap = malloc(2 * PAGE);
    void *secret = aligned(block), *ordinary = aligned(heap);
    check_kind(secret, "the page of OPENSSL_malloc");
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (!is_named(paths[i].name, argv + 4))
            continue;
        const char *without = answer(&paths[i], ordinary);
        const char *with = answer(&paths[i], secret);
        printf("path %s: %s, %s\n", paths[i].name, without, with);
        fflush(stdout);
    }
    OPENSSL_free(block);
    free(heap);
    return finish();
}
