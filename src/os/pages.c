/* SPDX-License-Identifier: Apache-2.0 */
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

size_t sm_os_page = 4096;

void sm_pages_init(void)
{
    sm_os_page = getauxval(AT_PAGESZ);
    if (sm_os_page == 0)
        sm_os_page = 4096;
}

uint64_t sm_pages_random(void)
{
    uint64_t value = 0;

    if (sm_seccomp_forbids(SM_CALL_GETRANDOM) ||
        sm_sys(SYS_getrandom, &value, sizeof(value), GRND_NONBLOCK) != sizeof(value)) {
        /*
         * The value is not a secret, only a place, so the kernel's random bytes for this
         * process suffice.
         */
        const uint64_t *seed = (const uint64_t *)getauxval(AT_RANDOM);
        value = ((uintptr_t)&value >> 4) * 0x9e3779b97f4a7c15ULL;
        value ^= seed ? seed[0] * 0xd1342543de82ef95ULL : 0;
    }
    return value;
}

static void *reserve_at(uintptr_t at, size_t length, int prot, int flags)
{
    long result = sm_sys(SYS_mmap, at, length, prot,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    if (sm_failed(result))
        return NULL;
    sm_pages_unlock((void *)result, length);
    /* gcore would otherwise write gigabytes of empty pages. */
    if (!sm_seccomp_forbids(SM_CALL_MADVISE))
        sm_sys(SYS_madvise, result, length, MADV_DONTDUMP);
    return (void *)result;
}

void *sm_pages_hidden(size_t length, bool wipe)
{
    char *place = NULL;

    if (!sm_seccomp_forbids(SM_CALL_MPROTECT) && !(wipe && sm_seccomp_forbids(SM_CALL_MADVISE)))
        place = sm_pages_reserve(length + 2 * sm_os_page);
    if (!place)
        return sm_pages_private(length, wipe);
    if (sm_pages_protect(place + sm_os_page, length, true) == 0 &&
        (!wipe || sm_sys(SYS_madvise, place + sm_os_page, length, MADV_WIPEONFORK) == 0))
        return place + sm_os_page;
    sm_pages_unmap(place, length + 2 * sm_os_page);
    return sm_pages_private(length, wipe);
}

void *sm_pages_reserve_table(size_t length)
{
    /*
     * Read-only memory is not charged, and any index may be looked up. In a program that has
     * locked its future memory, readable memory is populated at once, which takes minutes for a
     * large table. So the table becomes readable only after it is unlocked.
     */
    char *place = NULL;

    if (!sm_seccomp_forbids(SM_CALL_MPROTECT))
        place = sm_pages_reserve(length + 2 * sm_os_page);
    if (place && sm_sys(SYS_mprotect, place + sm_os_page, length, PROT_READ) == 0)
        return place + sm_os_page;
    if (place)
        sm_pages_unmap(place, length + 2 * sm_os_page);
    return reserve_at(0, length, PROT_READ, 0);
}

void sm_pages_read_only(void *address, size_t length)
{
    if (!sm_seccomp_forbids(SM_CALL_MPROTECT))
        sm_sys(SYS_mprotect, address, length, PROT_READ);
}

void *sm_pages_lazy(size_t length)
{
    if (sm_seccomp_forbids(SM_CALL_MMAP))
        return NULL;
    return reserve_at(0, length, PROT_READ | PROT_WRITE, 0);
}

void *sm_pages_reserve(size_t length)
{
    /* The stack is near the top of the address space, whatever its size. */
    uintptr_t here = (uintptr_t)&length;
    uintptr_t space = (uintptr_t)1 << (64 - __builtin_clzl(here));
    uintptr_t low = space / 8, span = space / 2 - low;

    if (SM_TSAN || length >= span)
        return reserve_at(0, length, PROT_NONE, 0);
    for (int i = 0; i < 16; i++) {
        /*
         * The kernel places mappings downwards from near the stack, and executables at two
         * thirds. The range from an eighth to a half is unused, and a child that lost the arena
         * to MADV_DONTFORK gets none of its mappings there.
         */
        uintptr_t at = low + sm_pages_random() % (span - length);
        void *got = reserve_at(at & ~(uintptr_t)(2 * SM_MIB - 1), length, PROT_NONE,
                               MAP_FIXED_NOREPLACE);
        if (got && (uintptr_t)got >= low && (uintptr_t)got < low + span)
            return got;
        if (got) /* a kernel without the flag takes the address as a hint */
            sm_pages_unmap(got, length);
    }
    return reserve_at(0, length, PROT_NONE, 0);
}

void *sm_pages_reserve_anywhere(size_t length)
{
    return reserve_at(0, length, PROT_NONE, 0);
}

int sm_pages_protect(void *address, size_t length, bool access)
{
    if (sm_seccomp_forbids(SM_CALL_MPROTECT))
        return -EPERM;
    return (int)sm_sys(SYS_mprotect, address, length,
                       access ? PROT_READ | PROT_WRITE : PROT_NONE);
}

void *sm_pages_private(size_t length, bool wipe)
{
    long result;

    if (wipe && sm_seccomp_forbids(SM_CALL_MADVISE))
        return NULL;
    result = sm_sys(SYS_mmap, NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                    -1, 0);
    if (sm_failed(result))
        return NULL;
    if (wipe && sm_sys(SYS_madvise, result, length, MADV_WIPEONFORK) != 0) {
        sm_pages_unmap((void *)result, length);
        return NULL;
    }
    return (void *)result;
}

void *sm_pages_shared(size_t length)
{
    long result = sm_sys(SYS_mmap, NULL, length, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return sm_failed(result) ? NULL : (void *)result;
}

void sm_pages_unmap(void *address, size_t length)
{
    sm_sys(SYS_munmap, address, length);
}

/* Tries mremap of nothing, which returns EFAULT unless a filter returns an error of its own. */
bool sm_pages_move_is_refused(void)
{
    long result;

    if (sm_seccomp_forbids(SM_CALL_MREMAP))
        return true;
    result = sm_sys(SYS_mremap, NULL, sm_os_page, sm_os_page, 0, NULL);
    return result == -EPERM || result == -ENOSYS || result == -EACCES;
}

int sm_pages_populate(void *page)
{
    /*
     * A write may raise SIGBUS where pages are charged at the fault. A system call that writes
     * there gets EFAULT instead. This system call writes the signal mask.
     */
    long result = sm_sys(SYS_rt_sigprocmask, 0, NULL, page, sizeof(uint64_t));

    if (result != 0)
        return (int)result;
    *(volatile uint64_t *)page = 0;
    return 0;
}

int sm_pages_map_anonymous(void *address, size_t length)
{
    long result;

    if (sm_seccomp_forbids(SM_CALL_MMAP))
        return -EPERM;
    result = sm_sys(SYS_mmap, address, length, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (sm_failed(result))
        return (int)result;
    if (sm_seccomp_forbids(SM_CALL_MADVISE))
        return 0;
    result = sm_sys(SYS_madvise, address, length, MADV_DONTDUMP);
    /*
     * A merged neighbour could be swapped out or dumped together with this range. This is
     * harmless, because both belong to this library.
     */
    if (result == 0)
        result = sm_pages_inherit(address, length, false);
    if (result != 0)
        sm_pages_discard(address, length);
    return (int)result;
}

int sm_pages_lock(void *address, size_t length, bool on_fault)
{
    if (sm_seccomp_forbids(SM_CALL_MLOCK))
        return -EPERM;
    if (on_fault && !sm_seccomp_forbids(SM_CALL_MLOCK2) &&
        sm_sys(SYS_mlock2, address, length, MLOCK_ONFAULT) == 0)
        return 0;
    return (int)sm_sys(SYS_mlock, address, length);
}

void sm_pages_unlock(void *address, size_t length)
{
    if (!sm_seccomp_forbids(SM_CALL_MUNLOCK))
        sm_sys(SYS_munlock, address, length);
}

int sm_pages_discard(void *address, size_t length)
{
    long result = sm_sys(SYS_mmap, address, length, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return sm_failed(result) ? (int)result : 0;
}

static bool withheld; /* some memory was once withheld; any mapping thread sets this */

static bool was_withheld(void)
{
    return __atomic_load_n(&withheld, __ATOMIC_RELAXED);
}

int sm_pages_inherit(void *address, size_t length, bool inherit)
{
    long result;

    if (sm_seccomp_forbids(SM_CALL_MADVISE))
        return was_withheld() ? -EPERM : 0;
    result = sm_sys(SYS_madvise, address, length, inherit ? MADV_DOFORK : MADV_DONTFORK);
    if (result == 0 && !inherit)
        __atomic_store_n(&withheld, true, __ATOMIC_RELAXED);
    /* Memory that was never withheld is inherited. */
    return inherit && !was_withheld() ? 0 : (int)result;
}

int sm_pages_move(void *from, void *to, size_t length, bool secret)
{
    long result;

    if (secret || !sm_pages_move_is_refused()) {
        result = sm_sys(SYS_mremap, from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to);
        return sm_failed(result) ? (int)result : 0;
    }
    result = sm_pages_map_anonymous(to, length);
    if (result == 0)
        memcpy(to, from, length);
    return (int)result;
}

void sm_pages_raise_limit(size_t more)
{
    struct rlimit limit = {0};
    rlim_t wanted;

    if (sm_seccomp_forbids(SM_CALL_PRLIMIT) ||
        sm_sys(SYS_prlimit64, 0, RLIMIT_MEMLOCK, NULL, &limit) != 0)
        return;
    /*
     * The hard limit stays, because it belongs to the administrator, and children of this
     * process inherit it.
     */
    wanted = limit.rlim_cur > RLIM_INFINITY - more ? RLIM_INFINITY : limit.rlim_cur + more;
    wanted = sm_min(wanted, limit.rlim_max);
    if (wanted <= limit.rlim_cur)
        return;
    limit.rlim_cur = wanted;
    sm_sys(SYS_prlimit64, 0, RLIMIT_MEMLOCK, &limit, NULL);
}
