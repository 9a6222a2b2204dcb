/* SPDX-License-Identifier: Apache-2.0 */
/* Loads an engine that is linked with libcrypto.so. Built twice: engine_host has a libcrypto
 * of its own, without exported symbols, engine_user is linked with libcrypto.so too.
 *
 *   engine_host ordinary crossing      engine_user KIND same */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "common.h"
#include "engine.h"
#include "library.h"

#include <string.h>

#include <openssl/engine.h>

static ENGINE *loaded(void)
{
    ENGINE *engine;

    ENGINE_load_dynamic();
    engine = ENGINE_by_id("dynamic");
    if (!engine || !ENGINE_ctrl_cmd_string(engine, "SO_PATH", beside("libengine.so"), 0) ||
        !ENGINE_ctrl_cmd_string(engine, "LOAD", NULL, 0))
        broken("the engine is not loaded");
    return engine;
}

/* Each frees what the other allocated, in both directions. */
static void cross(ENGINE *engine)
{
    char *theirs = NULL, *grown = NULL;

    check(ENGINE_ctrl(engine, ENGINE_GIVE, 100, &theirs, NULL) == 1, "it gives a block");
    check_kind(theirs, "the block");
    memset(theirs, 'x', 100);
    theirs = OPENSSL_realloc(theirs, 5000);
    check(theirs && theirs[99] == 'x', "it grows here");
    OPENSSL_free(theirs);
    check(ENGINE_ctrl(engine, ENGINE_TAKE, 0, OPENSSL_malloc(100), NULL) == 1,
          "it frees one of ours");
    check(ENGINE_ctrl(engine, ENGINE_GROW_EARLY, 5000, &grown, NULL) == 1 && grown,
          "a block from before grows");
    check_kind(grown, "a block from before");
    OPENSSL_free(grown);
}

static void crossing(void)
{
    ENGINE *engine = loaded();

    cross(engine);
    ENGINE_free(engine);
    engine = loaded(); /* once more: the functions are handed over again */
    check(ENGINE_ctrl(engine, ENGINE_TAKE, 0, OPENSSL_malloc(100), NULL) == 1,
          "loaded again, it frees one of ours");
    ENGINE_free(engine);
}

static void same(void)
{
    ENGINE *engine = loaded();

    cross(engine);
    ENGINE_free(engine);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"crossing", crossing}, {"same", same}, {NULL, NULL}};

    return run_case(cases, argc, argv);
}
