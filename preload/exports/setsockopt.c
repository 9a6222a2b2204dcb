/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes setsockopt() for libcrypto, which may not give a connection's keys to the kernel
 * (kernel TLS): the kernel keeps them in ordinary memory, and cannot decrypt into secret memory
 * (EFAULT: the connection breaks). libcrypto gets the error of a kernel without TLS, and
 * continues without kernel TLS.
 */
#include "base/common.h"
#include "libcrypto/registry.h"
#include "loader/real.h"
#include "log/lapse.h"
#include <errno.h>
#include <linux/tls.h>
#include <sys/socket.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

/*
 * Looks at the keys, not the protocol (TCP_ULP), because OpenSSL also sets TCP_ULP on sockets
 * that get no keys.
 */
static bool gives_keys(int level, int name, const void *caller)
{
    unsigned of = LIBCRYPTO_NONE;

    if (sm_unlikely(level == SOL_TLS) && (name == TLS_TX || name == TLS_RX))
        of = registry_of_code(caller);
    return of != LIBCRYPTO_NONE && !known[of].unserved;
}

/* As setsockopt(2). */
SM_EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    if (!gives_keys(level, name, __builtin_return_address(0)))
        return REAL(setsockopt)(fd, level, name, value, length);
    sm_lapse(SM_LAPSE_KTLS, "kernel TLS is refused: the kernel would keep its keys in ordinary "
                            "memory; OpenSSL encrypts and decrypts by itself");
    errno = ENOPROTOOPT;
    return -1;
}
