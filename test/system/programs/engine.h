/* SPDX-License-Identifier: Apache-2.0 */
/* What engine.c can be asked by ENGINE_ctrl(). */
#ifndef SYSTEM_TEST_ENGINE_H
#define SYSTEM_TEST_ENGINE_H

enum {
    ENGINE_GIVE = 200, /* a block of so many bytes, to *p */
    ENGINE_TAKE,       /* frees p */
    ENGINE_GROW_EARLY, /* a block from before the engine was bound, made so large: *p */
};

#endif
