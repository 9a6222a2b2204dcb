/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protection key of sealed memory (PKU of x86). Memory with the key can be accessed only by
 * a thread whose register PKRU allows it; every other thread gets SIGSEGV, and its system calls
 * EFAULT. A new process, a new thread of a closed one and a signal handler begin closed. The
 * design is in docs/sealing.md.
 */
#ifndef SM_OS_PROTECTION_KEY_H
#define SM_OS_PROTECTION_KEY_H

#include "base/common.h"
#include "os/pku_instructions.h"
#include "os/vector_registers.h"

/* Both bits of the key in PKRU: access and writing are denied. 0: nothing is sealed. */
extern SM_LOCAL uint32_t sm_pku_mask;

/*
 * Takes a key of the kernel. Returns its number, or a negative errno value: -EOPNOTSUPP without
 * protection keys, -ENOSPC if the program uses all of them.
 */
int sm_pku_take(void);

/* Gives a key back to the kernel that nothing uses. */
void sm_pku_give(int key);

/* From now on memory of sm_pku_protect() has the key. The calling thread is closed. */
void sm_pku_begin(int key);

/* The number of the key in use. Only if there is one. */
int sm_pku_key(void);

/*
 * Gives accessible pages the key. Returns 0, also if no key is in use, or a negative errno
 * value.
 */
int sm_pku_protect(void *address, size_t length);

/*
 * Returns the register PKRU in the state that the kernel has saved for a signal handler, or
 * NULL if the kernel has saved none. context: the handler's third argument.
 */
uint32_t *sm_pku_saved(void *context);

#if defined(__x86_64__)
static inline uint32_t sm_pku_read(void)
{
    uint32_t value, high;

    __asm__ volatile(SM_READ_PKRU("%%") : "=a"(value), "=d"(high) : "c"(0));
    return value;
}

static inline void sm_pku_write(uint32_t value)
{
    __asm__ volatile(SM_WRITE_PKRU("%%")::"a"(value), "c"(0), "d"(0) : "memory");
}
#else
static inline uint32_t sm_pku_read(void)
{
    return 0;
}

static inline void sm_pku_write(uint32_t value)
{
    (void)value;
}
#endif

static inline bool sm_pku_is_on(void)
{
    return sm_unlikely(sm_pku_mask != 0);
}

/* Whether this thread may access sealed memory now. */
static inline bool sm_pku_is_open(void)
{
    return sm_pku_is_on() && !(sm_pku_read() & sm_pku_mask);
}

/*
 * Opens sealed memory for this thread. Returns whether it was closed; sm_pku_close() is given
 * the result, so that only the outermost of several nested pairs closes.
 */
static inline bool sm_pku_open(void)
{
    uint32_t now;

    if (!sm_pku_is_on())
        return false;
    now = sm_pku_read();
    if (!(now & sm_pku_mask))
        return false;
    sm_pku_write(now & ~sm_pku_mask);
    return true;
}

/* Clears the vector registers first, through which sealed bytes may have passed. */
static inline void sm_pku_close(bool opened)
{
    if (!sm_unlikely(opened))
        return;
    sm_clear_vector_registers();
    sm_pku_write(sm_pku_read() | sm_pku_mask);
}

#endif
