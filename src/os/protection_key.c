/* SPDX-License-Identifier: Apache-2.0 */
#include "os/protection_key.h"
#include "os/page_key.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <sys/mman.h>

SM_FROM_ASM uint32_t sm_pku_mask;

#if defined(__x86_64__)
#include <cpuid.h>
#include <signal.h>
#include <ucontext.h>

#define BITS           3U /* of a key in PKRU: no access, no writing */
#define XSTATE_LEAF    0xd
#define XSTATE_PKRU    9   /* the component of the extended state */
#define XSTATE_HEADER  512 /* offset of the header, whose first word lists the components */
#define XSTATE_MAGIC   0x46505853U
#define XSTATE_MAGIC_1 464 /* offset of the kernel's mark that there is extended state */

static int number;
static uint32_t saved_at; /* offset of PKRU in the saved state; 0: unknown */

static uint32_t mask_of(int key)
{
    return BITS << (2 * key);
}

/* Whether the processor has protection keys and the kernel has switched them on. */
static bool has_keys(void)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && c & bit_OSPKE;
}

int sm_pku_take(void)
{
    if (!has_keys())
        return -EOPNOTSUPP;
    if (sm_seccomp_forbids(SM_CALL_PKEY_ALLOC) || sm_seccomp_forbids(SM_CALL_PKEY_MPROTECT))
        return -EPERM;
    /* The kernel closes the key in this thread. All other threads never had it open. */
    return (int)sm_sys(SYS_pkey_alloc, 0, PKEY_DISABLE_ACCESS | PKEY_DISABLE_WRITE);
}

void sm_pku_give(int key)
{
    sm_sys(SYS_pkey_free, key);
}

void sm_pku_begin(int key)
{
    uint32_t size, offset, c, d;

    __cpuid_count(XSTATE_LEAF, XSTATE_PKRU, size, offset, c, d);
    saved_at = size >= sizeof(uint32_t) ? offset : 0;
    number = key;
    sm_pku_mask = mask_of(key);
}

int sm_pku_key(void)
{
    return number;
}

int sm_pku_protect(void *address, size_t length)
{
    return sm_pku_is_on() ? sm_page_key_assign(address, length, number) : 0;
}

uint32_t *sm_pku_saved(void *context)
{
    char *state = (char *)((ucontext_t *)context)->uc_mcontext.fpregs;
    uint64_t *components;

    if (!saved_at || !state || *(uint32_t *)(state + XSTATE_MAGIC_1) != XSTATE_MAGIC)
        return NULL;
    components = (uint64_t *)(state + XSTATE_HEADER);
    /* A component that is not listed is in its initial state: a PKRU of 0 denies nothing. */
    if (!(*components >> XSTATE_PKRU & 1)) {
        *(uint32_t *)(state + saved_at) = 0;
        *components |= 1ULL << XSTATE_PKRU;
    }
    return (uint32_t *)(state + saved_at);
}
#else
int sm_pku_take(void)
{
    return -EOPNOTSUPP;
}

void sm_pku_give(int key)
{
    (void)key;
}

void sm_pku_begin(int key)
{
    (void)key;
}

int sm_pku_key(void)
{
    return -1;
}

int sm_pku_protect(void *address, size_t length)
{
    (void)address, (void)length;
    return 0;
}

uint32_t *sm_pku_saved(void *context)
{
    (void)context;
    return NULL;
}
#endif
