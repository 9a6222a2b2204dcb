/* SPDX-License-Identifier: Apache-2.0 */
#include "stacktrace/unwind.h"
#include "log/log.h"
#include "os/futex_lock.h"
#include "stacktrace/load_library.h"
#include "stacktrace/unwind_cache.h"
#include <errno.h>
#include <sys/single_threaded.h>

enum state { UNTRIED, LOADING, READY, MISSING };

static enum state state;
static sm_flag said_threads;

#if defined(__has_include)
#if __has_include(<libunwind.h>)
#define HAVE_LIBUNWIND 1
#endif
#endif

#ifdef HAVE_LIBUNWIND
#include "stacktrace/read_registers.h"
#include <dlfcn.h>
#include <libunwind.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>

/*
 * libunwind's library for other processes, which reads memory, registers and tables through its
 * caller. The library for the own process asks the dynamic linker, which takes a lock.
 */
#define TEXT_(x)      #x
#define TEXT(x)       TEXT_(x)
#define LIBRARY       "libunwind-" TEXT(UNW_TARGET) ".so.8"
#define NAME(name)    TEXT(UNW_ARCH_OBJ(name))
#define STACK_MAX     (8 * SM_MIB) /* between the first and the last frame */
#define CACHED_FRAMES 1024
#define OBJECTS_MAX   256
#define HEAD_BYTES    1024 /* of an object, in its first page */

/* The state of the thread that libunwind may use. */
struct thread {
    unw_word_t registers[UNW_REG_LAST + 1];
    uintptr_t low, high; /* the readable part of its stack */
    uintptr_t from, to;  /* the object that contains the frame */
};

static struct {
    unw_addr_space_t (*create_addr_space)(unw_accessors_t *, int);
    int (*set_caching_policy)(unw_addr_space_t, unw_caching_policy_t);
    int (*set_cache_size)(unw_addr_space_t, size_t, int);
    void (*flush_cache)(unw_addr_space_t, unw_word_t, unw_word_t);
    int (*search_table)(unw_addr_space_t, unw_word_t, unw_dyn_info_t *, unw_proc_info_t *, int,
                        void *);
    int (*init_remote)(unw_cursor_t *, unw_addr_space_t, void *);
    int (*step)(unw_cursor_t *);
    int (*get_reg)(unw_cursor_t *, unw_regnum_t, unw_word_t *);
    int (*find_object)(void *, struct dl_find_object *); /* the C library's; takes no lock */
    unw_addr_space_t space;
    uintptr_t from, to; /* this library; empty if it is part of the program itself */
} lib;

/* The objects that frames were in. Another object at the same place makes caches stale. */
static struct {
    struct sm_lock lock;
    unsigned count;
    struct object {
        const void *from, *to, *map, *table;
        uint64_t print;
    } list[OBJECTS_MAX];
} objects;

/*
 * A hash of the object's first bytes, because an object loaded in place of another may have
 * everything at the same addresses. The first bytes hold the headers, and behind them the notes
 * with the build ID.
 */
__attribute__((no_sanitize("address", "thread"))) static uint64_t
print_of(const struct dl_find_object *found)
{
    const uint64_t *words = found->dlfo_map_start;
    uint64_t print = 0;

    for (unsigned i = 0; i < HEAD_BYTES / sizeof(*words); i++)
        print = (print ^ words[i]) * 0x9e3779b97f4a7c15ULL;
    return print;
}

static bool same_object(const struct object *one, const struct object *other)
{
    return one->from == other->from && one->to == other->to && one->map == other->map &&
           one->table == other->table && one->print == other->print;
}

static bool unwind_is_known(const struct object *object)
{
    unsigned count = __atomic_load_n(&objects.count, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < count; i++) {
        if (same_object(&objects.list[i], object))
            return true;
    }
    return false;
}

/* Records an object. libunwind may remember frames of one that was at its place. */
static void make_known(struct object object)
{
    sm_lock_take(&objects.lock);
    for (unsigned i = 0; i < objects.count; i++) {
        struct object *old = &objects.list[i];
        if (old->from < object.to && object.from < old->to)
            old->map = NULL;
    }
    if (objects.count == OBJECTS_MAX)
        __atomic_store_n(&objects.count, 0, __ATOMIC_RELEASE);
    objects.list[objects.count] = object;
    __atomic_store_n(&objects.count, objects.count + 1, __ATOMIC_RELEASE);
    lib.flush_cache(lib.space, 0, 0);
    sm_lock_drop(&objects.lock);
}

/* Finds the object that contains this code and has a table of its frames. */
static bool find_object(uintptr_t ip, struct dl_find_object *found)
{
    struct object object;

    if (lib.find_object((void *)ip, found) != 0 || !found->dlfo_eh_frame)
        return false;
    object = (struct object){found->dlfo_map_start, found->dlfo_map_end, found->dlfo_link_map,
                             found->dlfo_eh_frame, print_of(found)};
    if (sm_unlikely(!unwind_is_known(&object)))
        make_known(object);
    return true;
}

/* The linker's table: sorted pairs of 32-bit offsets from the table's own start. */
#define TABLE_VERSION 1
#define TABLE_COUNT   0x03 /* DW_EH_PE_udata4 */
#define TABLE_ENTRIES 0x3b /* DW_EH_PE_datarel | DW_EH_PE_sdata4 */
#define TABLE_HEADER  12

static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info,
                          int need, void *arg)
{
    struct thread *thread = arg;
    struct dl_find_object found;
    unw_dyn_info_t table = {.format = UNW_INFO_FORMAT_REMOTE_TABLE};
    const unsigned char *head;
    uint32_t count;

    if (!find_object(ip, &found))
        return -UNW_ENOINFO;
    head = found.dlfo_eh_frame;
    if (head[0] != TABLE_VERSION || (head[1] & 0xf) != 0xb || head[2] != TABLE_COUNT ||
        head[3] != TABLE_ENTRIES)
        return -UNW_ENOINFO;
    memcpy(&count, head + 8, sizeof(count));
    thread->from = (uintptr_t)found.dlfo_map_start;
    thread->to = (uintptr_t)found.dlfo_map_end;
    table.start_ip = thread->from;
    table.end_ip = thread->to;
    table.u.rti.segbase = (uintptr_t)head;
    table.u.rti.table_data = (uintptr_t)head + TABLE_HEADER;
    table.u.rti.table_len = count * 8ULL / sizeof(unw_word_t);
    return lib.search_table(space, ip, &table, info, need, arg);
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *arg)
{
    (void)space, (void)info, (void)arg;
}

static int get_dyn_info_list_addr(unw_addr_space_t space, unw_word_t *list, void *arg)
{
    (void)space, (void)list, (void)arg;
    return -UNW_ENOINFO;
}

/* Reads only the stack and the object itself, whatever the tables say. */
__attribute__((no_sanitize("address", "thread"))) static int
access_mem(unw_addr_space_t space, unw_word_t at, unw_word_t *value, int write, void *arg)
{
    const struct thread *thread = arg;
    bool on_stack = at >= thread->low && at <= thread->high - sizeof(*value);
    bool in_object = at >= thread->from && at < thread->to;

    (void)space;
    if (write || !(on_stack || in_object) || at % sizeof(*value))
        return -UNW_EINVAL;
    *value = *(const unw_word_t *)at;
    return 0;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value, int write,
                      void *arg)
{
    const struct thread *thread = arg;

    (void)space;
    if (write || number < 0 || number > UNW_REG_LAST)
        return -UNW_EBADREG;
    *value = thread->registers[number];
    return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value,
                        int write, void *arg)
{
    (void)space, (void)number, (void)value, (void)write, (void)arg;
    return -UNW_EBADREG;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *arg)
{
    (void)space, (void)cursor, (void)arg;
    return -UNW_EINVAL;
}

/* Finds this library's own code, whose frames are left out of reports. */
static void find_own(void)
{
    struct dl_find_object found;
    uintptr_t entry = getauxval(AT_ENTRY);

    if (lib.find_object((void *)find_own, &found) != 0)
        return;
    if (entry >= (uintptr_t)found.dlfo_map_start && entry < (uintptr_t)found.dlfo_map_end)
        return;
    lib.from = (uintptr_t)found.dlfo_map_start;
    lib.to = (uintptr_t)found.dlfo_map_end;
}

static bool unwind_load(void)
{
    /*
     * Newer versions of libunwind.so.8 have more members and copy as many as they know. So the
     * struct lies in a larger space, which is zeroed except for the members named here.
     */
    union {
        unw_accessors_t accessors;
        char space[2 * sizeof(unw_accessors_t)];
    } given = {.space = {0}};
    void *library = sm_library_open(LIBRARY);
    bool good =
        library &&
        sm_library_function(library, NAME(create_addr_space), &lib.create_addr_space) &&
        sm_library_function(library, NAME(set_caching_policy), &lib.set_caching_policy) &&
        sm_library_function(library, NAME(set_cache_size), &lib.set_cache_size) &&
        sm_library_function(library, NAME(flush_cache), &lib.flush_cache) &&
        sm_library_function(library, NAME(dwarf_search_unwind_table), &lib.search_table) &&
        sm_library_function(library, NAME(init_remote), &lib.init_remote) &&
        sm_library_function(library, NAME(step), &lib.step) &&
        sm_library_function(library, NAME(get_reg), &lib.get_reg) &&
        sm_library_function(RTLD_DEFAULT, "_dl_find_object", &lib.find_object);

    given.accessors.find_proc_info = find_proc_info;
    given.accessors.put_unwind_info = put_unwind_info;
    given.accessors.get_dyn_info_list_addr = get_dyn_info_list_addr;
    given.accessors.access_mem = access_mem;
    given.accessors.access_reg = access_reg;
    given.accessors.access_fpreg = access_fpreg;
    given.accessors.resume = resume;
    lib.space = good ? lib.create_addr_space(&given.accessors, 0) : NULL;
    if (!lib.space)
        return false;
    lib.set_caching_policy(lib.space, UNW_CACHE_GLOBAL);
    lib.set_cache_size(lib.space, CACHED_FRAMES, 0);
    find_own();
    return true;
}

static bool next_frame(unw_cursor_t *cursor, struct sm_frame *frame)
{
    unw_word_t ip = 0, sp = 0;
    struct dl_find_object found;

    if (lib.step(cursor) <= 0 || lib.get_reg(cursor, UNW_REG_IP, &ip) != 0 ||
        lib.get_reg(cursor, UNW_REG_SP, &sp) != 0 || !ip)
        return false;
    *frame = (struct sm_frame){ip, sp};
    /* Without a table for the code, libunwind would guess. */
    return find_object(ip - 1, &found);
}

static unsigned walk_up(unw_cursor_t *cursor, struct sm_walk *old, struct sm_frame *frames,
                        uintptr_t end)
{
    unsigned count = 0, at = 0;
    bool joined = false;

    while (!joined && count < SM_WALK_MAX && next_frame(cursor, &frames[count])) {
        count++;
        joined = sm_walk_joins(old, &frames[count - 1], count, &at, end);
    }
    return sm_walk_keep(old, frames, count, joined ? &at : NULL);
}

__attribute__((noinline)) unsigned sm_unwind_stack(uintptr_t *frames)
{
    struct thread thread = {0};
    struct sm_frame all[SM_WALK_MAX];
    struct sm_walk *old;
    unw_cursor_t cursor;
    unsigned count, kept = 0, i = 0;

    read_registers(thread.registers);
    thread.low = thread.registers[UNW_REG_SP];
    /* A thread's own data lies at the end of its stack, except for the first thread. */
    thread.high = thread.low + STACK_MAX;
    if ((uintptr_t)pthread_self() > thread.low)
        thread.high = sm_min(thread.high, (uintptr_t)pthread_self());
    if (lib.init_remote(&cursor, lib.space, &thread) < 0)
        return 0;
    old = sm_walk_take(thread.low);
    count = walk_up(&cursor, old, all, thread.high);
    sm_walk_drop(old);
    while (i < count && all[i].ip - lib.from < lib.to - lib.from)
        i++;
    while (i < count && kept < SM_UNWIND_MAX)
        frames[kept++] = all[i++].ip;
    return kept;
}

#else
#define LIBRARY "libunwind"

static bool unwind_load(void)
{
    return false;
}

unsigned sm_unwind_stack(uintptr_t *frames)
{
    (void)frames;
    return 0;
}
#endif

void sm_unwind_load(void)
{
    enum state now = UNTRIED;
    int error = errno;

    if (!__atomic_compare_exchange_n(&state, &now, LOADING, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return;
    now = unwind_load() ? READY : MISSING;
    __atomic_store_n(&state, now, __ATOMIC_RELEASE);
    if (now == MISSING)
        sm_log("SECRETSSL_TRACE=1: " LIBRARY " cannot be loaded: blocks are counted, but "
               "without their call stacks");
    errno = error;
}

bool sm_unwind_ready(void)
{
    enum state now = __atomic_load_n(&state, __ATOMIC_ACQUIRE);

    if (sm_likely(now == READY))
        return true;
    if (now != UNTRIED)
        return false;
    /* Another thread may hold the linker's lock, and wait for a lock that this thread holds. */
    if (__libc_single_threaded)
        sm_unwind_load();
    else
        sm_log_once(&said_threads,
                    "SECRETSSL_TRACE=1: no call stacks until the program opens a library: "
                    "it had threads before it allocated anything");
    return __atomic_load_n(&state, __ATOMIC_ACQUIRE) == READY;
}
