/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Built several times with frames of other sizes: the code is of the same
 * length, and at the same addresses when one is loaded where another was; what
 * unwinding it takes is not the same.
 */
#include <stddef.h>

typedef void *take_function(size_t size);

void *FRAMES_NAME(take_function *take);

static __attribute__((noinline)) void *inner(take_function *take)
{
    volatile char room[FRAMES_ROOM];
    void *block;

    room[0] = room[FRAMES_ROOM - 1] = 0;
    block = take(60);
    room[1] = 0;
    return block;
}

__attribute__((visibility("default"))) void *FRAMES_NAME(take_function *take)
{
    volatile char room[FRAMES_ROOM * 2];
    void *block;

    room[0] = room[FRAMES_ROOM - 1] = 0;
    block = inner(take);
    room[1] = 0;
    return block;
}
