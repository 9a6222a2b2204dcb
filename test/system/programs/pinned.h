/* SPDX-License-Identifier: Apache-2.0 */
/* The paths into the kernel that pinned.c tries with a page. Each function returns 0 or errno,
 * and EBADMSG if other bytes arrived than were sent. */
#ifndef SYSTEM_TEST_PINNED_H
#define SYSTEM_TEST_PINNED_H

#include <stddef.h>
#include <sys/types.h>

enum { PAGE = 4096, SEED = 4711 };

/* Ordinary pages: what is sent to the page that is tried, and what receives from it. */
extern unsigned char sent[PAGE], received[PAGE];

/* Returns 0 if a call moved all of the page, otherwise the error. */
int moved(ssize_t bytes);

/* Returns 0 if the page holds what `sent` holds, otherwise EBADMSG. */
int same(const void *page);

/* Sockets, pinned_sockets.c */
int try_send(void *page);
int try_recv(void *page);
int try_zerocopy(void *page);
int try_tls_send(void *page);
int try_tls12_recv(void *page);
int try_tls13_recv(void *page);
int try_alg_digest(void *page);
int try_alg_from(void *page);
int try_alg_into(void *page);

/* Asynchronous input and output, pinned_async.c. The file holds a page. */
int try_aio(int fd, void *page);
int try_ring_read(int fd, void *page);
int try_ring_register(void *page);

#endif
