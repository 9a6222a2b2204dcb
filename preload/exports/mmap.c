/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes mmap() and its family, for memory that the program locks (exports/mlock.c): which
 * memory the program has mapped for itself, and what it does with secret pages that the preload
 * has put under it.
 */
#include "exports/mmap.h"
#include "base/common.h"
#include "base/settings.h"
#include "exports/mlock.h"
#include "exports/mlock_rule.h"
#include "fork/external_pages.h"
#include "heap/thread_cache.h"
#include "hooks/own_maps.h"
#include "loader/real.h"
#include "log/lapse.h"
#include "os/syscall.h"
#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>

#define NOT_MEANT (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_STACK | MAP_GROWSDOWN | MAP_HUGETLB)

typedef void *mmap_function(void *, size_t, int, int, int, off_t);

static bool is_own_memory(int prot, int flags)
{
    return (flags & (MAP_TYPE | MAP_ANONYMOUS | NOT_MEANT)) == (MAP_PRIVATE | MAP_ANONYMOUS) &&
           !(prot & PROT_EXEC);
}

/* The C library's function, or the kernel's call while that is not known yet. */
static void *map_by(enum real which, void *address, size_t length, int prot, int flags, int fd,
                    off_t offset)
{
    long result;

    if (sm_likely(real_is_resolved()))
        return ((mmap_function *)real_function(which))(address, length, prot, flags, fd,
                                                       offset);
    result = sm_sys6(SYS_mmap, (long)address, (long)length, prot, flags, fd, offset);
    if (!sm_failed(result))
        return (void *)result;
    errno = (int)-result;
    return MAP_FAILED;
}

/* Memory that is locked from the beginning: locked after it is mapped, if that lock is meant.
 */
static void *map_locked(enum real which, void *address, size_t length, int prot, int flags,
                        const void *stack)
{
    void *place = map_by(which, address, length, prot, flags & ~MAP_LOCKED, -1, 0);
    int taken;

    if (place == MAP_FAILED)
        return place;
    own_maps_add(place, length);
    taken = memlock_take(NULL, place, length, stack);
    if (taken == MEMLOCK_TAKEN)
        return place;
    own_maps_remove(place, length);
    sm_sys(SYS_munmap, place, length);
    place = map_by(which, address, length, prot, flags, -1, 0);
    memlock_left(taken, length, place == MAP_FAILED ? -1 : 0);
    return place;
}

static inline void *map_as_asked(enum real which, void *address, size_t length, int prot,
                                 int flags, int fd, off_t offset, const void *stack)
{
    bool own = is_own_memory(prot, flags);
    void *place;

    if (own && flags & MAP_LOCKED && length <= LOCK_LARGEST && prot & PROT_WRITE &&
        sm_settings.mlock == SM_MLOCK_AUTO)
        return map_locked(which, address, length, prot, flags, stack);
    if (flags & MAP_FIXED && sm_external_any())
        sm_external_release(address, length);
    place = map_by(which, address, length, prot, flags, fd, offset);
    if (own && place != MAP_FAILED)
        own_maps_add(place, length);
    else if (flags & MAP_FIXED)
        own_maps_remove(address, length);
    return place;
}

/* As mmap(2). */
SM_EXPORT void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
    return map_as_asked(REAL_mmap, address, length, prot, flags, fd, offset,
                        __builtin_frame_address(0));
}

/* As mmap(2). off_t has 64 bits. */
SM_EXPORT void *mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
    return map_as_asked(REAL_mmap64, address, length, prot, flags, fd, offset,
                        __builtin_frame_address(0));
}

/* As munmap(2). */
SM_EXPORT int munmap(void *address, size_t length)
{
    own_maps_remove(address, length);
    if (sm_external_any())
        sm_external_release(address, length);
    return REAL(munmap)(address, length);
}

void locked_give_up(const void *address, size_t length, const char *call)
{
    if (!sm_external_any() || !sm_external_overlap(address, length) || sm_is_rawfork_child() ||
        sm_inside_now())
        return;
    sm_external_restore(address, length, true);
    sm_lapse(SM_LAPSE_MLOCK,
             "memory that the program locked is ordinary locked memory from now on, because of "
             "%s",
             call);
}

void locked_is_stack(const void *address, size_t length, const char *call)
{
    own_maps_remove(address, length);
    locked_give_up(address, length, call);
}

/*
 * As mremap(2). Secret pages become ordinary ones first, because their file cannot grow. If the
 * memory stays where it is, other threads may be writing to it, and it does not grow.
 */
SM_EXPORT void *mremap(void *address, size_t length, size_t new_length, int flags, ...)
{
    bool own = own_maps_has(address, length);
    bool any = sm_external_any() && sm_external_overlap(address, length);
    void *new_address = NULL, *place;
    va_list args;

    if (any && !(flags & MREMAP_MAYMOVE) && new_length > length && !__libc_single_threaded) {
        errno = ENOMEM;
        return MAP_FAILED;
    }

    if (flags & MREMAP_FIXED) {
        va_start(args, flags);
        new_address = va_arg(args, void *);
        va_end(args);
        own_maps_remove(new_address, new_length);
        if (sm_external_any())
            sm_external_release(new_address, new_length);
    }
    if (any && !(flags & MREMAP_MAYMOVE) && new_length <= length)
        sm_external_release((char *)address + new_length, length - new_length);
    else
        locked_give_up(address, length, "mremap");
    own_maps_remove(address, length);
    place = REAL(mremap)(address, length, new_length, flags, new_address);
    if (own)
        own_maps_add(place == MAP_FAILED ? address : place,
                     place == MAP_FAILED ? length : new_length);
    return place;
}

/*
 * As madvise(2). What the kernel knows for private memory only has an answer of its own for
 * secret pages, which are shared memory for the kernel. MADV_WIPEONFORK fails (EINVAL) where
 * other threads may be writing.
 */
SM_EXPORT int madvise(void *address, size_t length, int advice)
{
    bool any = sm_external_any() && sm_external_overlap(address, length);
    int result;

    if (any && advice == MADV_WIPEONFORK && __libc_single_threaded)
        locked_give_up(address, length, "MADV_WIPEONFORK");
    if (any &&
        (advice == MADV_FREE || advice == MADV_POPULATE_READ ||
         advice == MADV_POPULATE_WRITE) &&
        sm_external_contains(address, length))
        return 0;
    result = REAL(madvise)(address, length, advice);
    if (any && result == 0 && (advice == MADV_DONTFORK || advice == MADV_DOFORK))
        sm_external_keep_from_children(address, length, advice == MADV_DONTFORK);
    return result;
}
