/* SPDX-License-Identifier: Apache-2.0 */
/* The libcryptos of this process: which there are, whose they are, and their hooks. */
#ifndef PRELOAD_LIBCRYPTO_H
#define PRELOAD_LIBCRYPTO_H

#include "base/common.h"

/* At start, while there is one thread: notes those that are there. Whether there is any. */
bool libcrypto_present(void);

/* Installs the hooks in each. One that cannot be hooked is reported, or ends the process. */
void libcrypto_hook_all(void);

/* After a dlopen() of this thread: starts if there is any libcrypto, and hooks the new ones. */
void libcrypto_look(void);

/* The same for what is in the name space of a handle that dlmopen() gave. */
void libcrypto_look_elsewhere(void *handle);

/* Whether code at this address is a libcrypto's. Takes no lock. */
bool libcrypto_contains(const void *code);

/* Whether it is one that is hooked. */
bool libcrypto_serves(const void *code);

/*
 * Around the search for a library of this thread's, and its constructors: what calls ours
 * from there may be linked with a libcrypto that came along, and is not known yet.
 */
void libcrypto_load_begin(void);
void libcrypto_load_end(void);

/*
 * 0: ours serves all callers. Else so many libcryptos are there that it must not serve
 * (foreign ones, those hooked too late), and libraries being loaded.
 */
extern unsigned libcrypto_choices;

void *libcrypto_function_for(const void *caller, const char *name);

/*
 * The function of that name that a caller of ours is linked with, if it is that of a
 * libcrypto that ours must not serve. NULL, as a rule. Takes no lock, but in a constructor
 * of a library that this thread loads.
 */
static inline void *libcrypto_instead(const void *caller, const char *name)
{
    if (sm_likely(!__atomic_load_n(&libcrypto_choices, __ATOMIC_RELAXED)))
        return NULL;
    return libcrypto_function_for(caller, name);
}

/*
 * Whether an address is the function of that name of a libcrypto that is hooked, and ours is
 * to answer in its place.
 */
bool libcrypto_defines(const void *function, const char *name);

/* Whether a function is that of a libcrypto that ours must not serve. Takes no lock. */
bool libcrypto_leaves_alone(const void *function);

/* Whether there is any libcrypto, whatever became of it. Takes no lock. */
bool libcrypto_known(void);

/* Whether any libcrypto is hooked. */
bool libcrypto_hooked(void);

#endif
