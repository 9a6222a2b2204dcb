/* SPDX-License-Identifier: Apache-2.0 */
#include "seal/ways.h"
#include "loader/real.h"
#include "os/protection_key.h"
#include "seal/fault.h"
#include "seal/window.h"
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <string.h>
#include <threads.h>
#include <ucontext.h>

enum way {
    WAY_longjmp,
    WAY__longjmp,
    WAY_siglongjmp,
    WAY___longjmp_chk,
    WAY_setcontext,
    WAY_swapcontext,
    WAY_pthread_create,
    WAY_thrd_create,
    WAY_sigaction,
    WAY_signal,
    WAYS_OF_C,
    WAY_ASYNC_start_job = WAYS_OF_C,
    WAY_ASYNC_pause_job,
    WAYS
};

static void *real_ways[WAYS];

typedef void jump_function(struct __jmp_buf_tag *, int);

/* One for each name, because they restore different things. */
#define JUMP(name)                                                                             \
    static __attribute__((noreturn)) void way_##name(struct __jmp_buf_tag *to, int value)      \
    {                                                                                          \
        window_leave_by_jump();                                                                \
        ((jump_function *)real_ways[WAY_##name])(to, value);                                   \
        __builtin_unreachable();                                                               \
    }
JUMP(longjmp)
JUMP(_longjmp)
JUMP(siglongjmp)
JUMP(__longjmp_chk)

static int way_setcontext(const ucontext_t *to)
{
    window_leave_by_jump();
    return ((__typeof__(&setcontext))real_ways[WAY_setcontext])(to);
}

/* The stack that the thread comes back to goes on with the rights that it had. */
static int way_swapcontext(ucontext_t *from, const ucontext_t *to)
{
    bool open = sm_pku_is_open();
    int result;

    sm_pku_close(open);
    result = ((__typeof__(&swapcontext))real_ways[WAY_swapcontext])(from, to);
    if (open)
        sm_pku_open();
    return result;
}

/* A new thread has the rights of its creator. */
static int way_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                              void *(*function)(void *), void *argument)
{
    bool open = sm_pku_is_open();
    int result;

    sm_pku_close(open);
    result = ((__typeof__(&pthread_create))real_ways[WAY_pthread_create])(thread, attributes,
                                                                          function, argument);
    if (open)
        sm_pku_open();
    return result;
}

static int way_thrd_create(thrd_t *thread, thrd_start_t function, void *argument)
{
    bool open = sm_pku_is_open();
    int result;

    sm_pku_close(open);
    result = ((__typeof__(&thrd_create))real_ways[WAY_thrd_create])(thread, function, argument);
    if (open)
        sm_pku_open();
    return result;
}

typedef int start_job_function(void **job, void *wait, int *result, int (*function)(void *),
                               void *arguments, size_t size);

/* A job that pauses in a window comes back here with that window's rights. */
static int way_start_job(void **job, void *wait, int *result, int (*function)(void *),
                         void *arguments, size_t size)
{
    bool open = sm_pku_is_open();
    int status = ((start_job_function *)real_ways[WAY_ASYNC_start_job])(
        job, wait, result, function, arguments, size);

    if (open)
        sm_pku_open();
    else
        sm_pku_close(sm_pku_is_open());
    return status;
}

static int way_pause_job(void)
{
    bool open = sm_pku_is_open();
    int result;

    sm_pku_close(open);
    result = ((int (*)(void))real_ways[WAY_ASYNC_pause_job])();
    if (open)
        sm_pku_open();
    return result;
}

static const struct {
    const char *name;
    void *instead;
} ways[WAYS] = {
    [WAY_longjmp] = {"longjmp", (void *)way_longjmp},
    [WAY__longjmp] = {"_longjmp", (void *)way__longjmp},
    [WAY_siglongjmp] = {"siglongjmp", (void *)way_siglongjmp},
    [WAY___longjmp_chk] = {"__longjmp_chk", (void *)way___longjmp_chk},
    [WAY_setcontext] = {"setcontext", (void *)way_setcontext},
    [WAY_swapcontext] = {"swapcontext", (void *)way_swapcontext},
    [WAY_pthread_create] = {"pthread_create", (void *)way_pthread_create},
    [WAY_thrd_create] = {"thrd_create", (void *)way_thrd_create},
    [WAY_sigaction] = {"sigaction", (void *)fault_sigaction},
    [WAY_signal] = {"signal", (void *)fault_signal},
    [WAY_ASYNC_start_job] = {"ASYNC_start_job", (void *)way_start_job},
    [WAY_ASYNC_pause_job] = {"ASYNC_pause_job", (void *)way_pause_job},
};

void ways_begin(void)
{
    for (unsigned i = 0; i < WAYS_OF_C; i++)
        real_ways[i] = real_dlsym()(RTLD_NEXT, ways[i].name);
}

void ways_of_libcrypto(void *start_job, void *pause_job)
{
    if (real_ways[WAY_ASYNC_start_job])
        return;
    real_ways[WAY_ASYNC_start_job] = start_job;
    real_ways[WAY_ASYNC_pause_job] = pause_job;
}

void *ways_instead(const char *name, const void *function)
{
    for (unsigned i = 0; i < WAYS; i++) {
        if (real_ways[i] && (!function || function == real_ways[i]) &&
            strcmp(ways[i].name, name) == 0)
            return ways[i].instead;
    }
    return NULL;
}
