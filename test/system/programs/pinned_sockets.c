/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: TCP, TCP with the kernel's TLS, and the kernel's ciphers (AF_ALG). */
#include "pinned.h"

#include <errno.h>
#include <linux/if_alg.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

/* Two ends of a TCP connection on loopback. */
static int connected(int ends[2])
{
    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(here);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0;

    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ends[1] = -1;
    if (bind(listener, (struct sockaddr *)&here, length) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&here, &length) != 0 ||
        connect(ends[0], (struct sockaddr *)&here, length) != 0 ||
        (ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
        error = errno;
    close(listener);
    return error;
}

static int closed(const int ends[2], int error)
{
    close(ends[0]);
    close(ends[1]);
    return error;
}

/* Sends a page and receives a page; both can be the same. */
static int transfer(const int ends[2], const void *from, void *to, int flags)
{
    int error = moved(send(ends[0], from, PAGE, flags));

    if (error)
        return error;
    if (to != from)
        memset(to, 0, PAGE);
    error = moved(recv(ends[1], to, PAGE, MSG_WAITALL));
    return error ? error : same(to);
}

int try_send(void *page)
{
    int ends[2], error = connected(ends);

    return closed(ends, error ? error : transfer(ends, page, received, 0));
}

int try_recv(void *page)
{
    int ends[2], error = connected(ends);

    return closed(ends, error ? error : transfer(ends, sent, page, 0));
}

int try_zerocopy(void *page)
{
    int ends[2], one = 1, error = connected(ends);

    if (!error && setsockopt(ends[0], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) != 0)
        error = errno;
    return closed(ends, error ? error : transfer(ends, page, received, MSG_ZEROCOPY));
}

/* The kernel encrypts what is sent and decrypts what is received, with a key of zeros. */
static int with_tls(const int ends[2], unsigned short version)
{
    struct tls12_crypto_info_aes_gcm_128 keys = {
        .info = {.version = version, .cipher_type = TLS_CIPHER_AES_GCM_128}};

    for (int end = 0; end < 2; end++) {
        if (setsockopt(ends[end], SOL_TCP, TCP_ULP, "tls", sizeof("tls")) != 0 ||
            setsockopt(ends[end], SOL_TLS, end ? TLS_RX : TLS_TX, &keys, sizeof(keys)) != 0)
            return errno;
    }
    return 0;
}

static int by_tls(unsigned short version, const void *from, void *to)
{
    int ends[2], error = connected(ends);

    if (!error)
        error = with_tls(ends, version);
    return closed(ends, error ? error : transfer(ends, from, to, 0));
}

int try_tls_send(void *page)
{
    return by_tls(TLS_1_2_VERSION, page, received);
}

int try_tls12_recv(void *page)
{
    return by_tls(TLS_1_2_VERSION, sent, page);
}

int try_tls13_recv(void *page)
{
    return by_tls(TLS_1_3_VERSION, sent, page);
}

/* A socket of an algorithm of the kernel's, or -1 with errno. */
static int algorithm(const char *type, const char *name, const void *key, unsigned length)
{
    struct sockaddr_alg address = {.salg_family = AF_ALG};
    int socket_fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), operation = -1, error;

    strncpy((char *)address.salg_type, type, sizeof(address.salg_type) - 1);
    strncpy((char *)address.salg_name, name, sizeof(address.salg_name) - 1);
    if (socket_fd >= 0 && bind(socket_fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        (!key || setsockopt(socket_fd, SOL_ALG, ALG_SET_KEY, key, length) == 0))
        operation = accept4(socket_fd, NULL, NULL, SOCK_CLOEXEC);
    error = errno;
    close(socket_fd);
    errno = error;
    return operation;
}

int try_alg_digest(void *page)
{
    unsigned char digest[2][32];
    int fd = algorithm("hash", "sha256", NULL, 0), error = fd < 0 ? errno : 0;
    void *const from[2] = {page, sent};

    for (int i = 0; i < 2 && !error; i++) {
        error = moved(send(fd, from[i], PAGE, 0));
        if (!error && recv(fd, digest[i], sizeof(digest[i]), 0) != sizeof(digest[i]))
            error = errno;
    }
    close(fd);
    return error || memcmp(digest[0], digest[1], sizeof(digest[0])) == 0 ? error : EBADMSG;
}

static int cipher(int fd, unsigned operation, const void *from, void *to)
{
    char control[CMSG_SPACE(sizeof(operation)) + CMSG_SPACE(sizeof(struct af_alg_iv) + 16)];
    struct iovec part = {(void *)(uintptr_t)from, PAGE};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *head;
    int error;

    memset(control, 0, sizeof(control));
    head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){.cmsg_level = SOL_ALG,
                             .cmsg_type = ALG_SET_OP,
                             .cmsg_len = CMSG_LEN(sizeof(operation))};
    memcpy(CMSG_DATA(head), &operation, sizeof(operation));
    head = CMSG_NXTHDR(&message, head);
    *head = (struct cmsghdr){.cmsg_level = SOL_ALG,
                             .cmsg_type = ALG_SET_IV,
                             .cmsg_len = CMSG_LEN(sizeof(struct af_alg_iv) + 16)};
    ((struct af_alg_iv *)(void *)CMSG_DATA(head))->ivlen = 16;
    error = moved(sendmsg(fd, &message, 0));
    return error ? error : moved(read(fd, to, PAGE));
}

/* Encrypts one page into another and decrypts that; `between` is the encrypted one. */
static int there_and_back(const void *from, void *between, void *to)
{
    static const unsigned char key[16];
    int fd = algorithm("skcipher", "cbc(aes)", key, sizeof(key)), error = fd < 0 ? errno : 0;

    if (!error)
        error = cipher(fd, ALG_OP_ENCRYPT, from, between);
    if (!error)
        error = cipher(fd, ALG_OP_DECRYPT, between, to);
    close(fd);
    return error ? error : same(to);
}

int try_alg_from(void *page)
{
    static unsigned char between[PAGE];

    return there_and_back(page, between, received);
}

int try_alg_into(void *page)
{
    static unsigned char between[PAGE];

    return there_and_back(sent, between, page);
}
