/* SPDX-License-Identifier: Apache-2.0 */
#include "log/syslog.h"
#include "os/helper_process.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

struct record {
    const char *text;
    size_t length;
    long result; /* bytes, or a negative errno value */
};

static long open_socket(int type)
{
    long fd;

    do {
        fd = sm_sys(SYS_socket, AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    } while (fd == -EMFILE && sm_helper_free_a_slot());
    return fd;
}

/*
 * Some daemons listen on a stream socket. There a record ends with a zero byte, which the text
 * has.
 */
static long send_to_stream(const struct record *record, const struct sockaddr_un *log)
{
    long fd = open_socket(SOCK_STREAM), result;

    if (fd < 0)
        return fd;
    result = sm_sys(SYS_connect, fd, log, sizeof(*log));
    if (result == 0)
        result = sm_sys(SYS_sendto, fd, record->text, record->length + 1,
                        MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
    sm_sys(SYS_close, fd);
    return result;
}

/*
 * Runs in a helper, which has its own descriptor table, so no descriptor stays open between
 * records.
 */
static void send_record(void *arg)
{
    struct record *record = arg;
    struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    long fd = open_socket(SOCK_DGRAM);

    record->result = fd;
    if (fd < 0)
        return;
    record->result = sm_sys(SYS_sendto, fd, record->text, record->length,
                            MSG_NOSIGNAL | MSG_DONTWAIT, &log, sizeof(log));
    sm_sys(SYS_close, fd);
    if (record->result == -EPROTOTYPE && !sm_seccomp_fatal && !sm_seccomp_installed)
        record->result = send_to_stream(record, &log);
}

bool sm_syslog(const char *text, size_t length)
{
    struct record record = {text, length, -EPERM};

    if (sm_seccomp_forbids(SM_CALL_SOCKET) || sm_seccomp_forbids(SM_CALL_SENDTO))
        return false;
    sm_helper_run(send_record, &record);
    if (record.result == -EMFILE)
        sm_helper_force(send_record, &record);
    return record.result > 0;
}
