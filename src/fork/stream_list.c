/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/stream_list.h"
#include <sys/single_threaded.h>

/* Weak, because a C library without these functions does not lock its streams. */
void _IO_list_lock(void) __attribute__((weak));
void _IO_list_unlock(void) __attribute__((weak));
void _IO_list_resetlock(void) __attribute__((weak));

bool sm_stream_list_lock(void)
{
    bool locks =
        !__libc_single_threaded && _IO_list_lock && _IO_list_unlock && _IO_list_resetlock;

    if (locks)
        _IO_list_lock();
    return locks;
}

void sm_stream_list_unlock(void)
{
    _IO_list_unlock();
}

void sm_stream_list_reset(void)
{
    _IO_list_resetlock();
}
