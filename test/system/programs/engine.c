/* SPDX-License-Identifier: Apache-2.0 */
/* An engine that hands blocks to whoever loads it, and takes such from there. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "engine.h"

#include <openssl/engine.h>

static void *early; /* allocated before the engine is bound */

__attribute__((constructor)) static void allocate(void)
{
    early = OPENSSL_malloc(100);
}

static int control(ENGINE *engine, int command, long size, void *p, void (*function)(void))
{
    (void)engine, (void)function;
    switch (command) {
    case ENGINE_GIVE:
        *(void **)p = OPENSSL_malloc((size_t)size);
        return 1;
    case ENGINE_TAKE:
        OPENSSL_free(p);
        return 1;
    case ENGINE_GROW_EARLY:
        early = OPENSSL_realloc(early, (size_t)size);
        *(void **)p = early;
        return 1;
    default:
        return 0;
    }
}

static int bind(ENGINE *engine, const char *id)
{
    (void)id;
    return ENGINE_set_id(engine, "giving") && ENGINE_set_name(engine, "gives and takes") &&
           ENGINE_set_ctrl_function(engine, control);
}

IMPLEMENT_DYNAMIC_CHECK_FN()
IMPLEMENT_DYNAMIC_BIND_FN(bind)
