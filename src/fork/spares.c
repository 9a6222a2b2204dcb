/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/spares.h"
#include "arena/backing.h"
#include "arena/fork_window.h"
#include "base/counters.h"
#include "base/settings.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define SPARES        64
#define LOOKS         8  /* lent spares that one fork looks at */
#define PATIENCE      16 /* forks until a child that never showed itself is given up */
#define TRIM_PATIENCE 64 /* forks with an unused spare, until one is unmapped */

#define PAGEMAP_EXCLUSIVE (UINT64_C(1) << 56)

/*
 * The first pages of a spare. The child touches the pages and keeps their mapping for as long
 * as its memory exists, so the kernel's count of the pages' mappings tells the parent whether
 * any process still uses that memory. There are several pages because a kernel that tries to
 * migrate a secret page, as compaction does, unmaps the page for a moment from one process
 * after the other before it gives up; but it does so with one page at a time. The pages hold no
 * secrets, and the parent always has access. The structure lies in the first page.
 */
struct token {
    uint32_t taken;  /* the child has touched the pages */
    uint32_t shared; /* the spare's pages may be read by a child of the child */
};

static struct sm_lock release_lock; /* threads inside the allocator; never held at fork */
static struct sm_spare spares[SPARES];
static size_t total;          /* bytes of all spares */
static unsigned forks;        /* that asked for a spare */
static unsigned next_look;    /* the next spare to look at */
static unsigned unused;       /* consecutive forks that left spares unused */
static struct token *own;     /* in a child that lives in a spare */
static unsigned char *vector; /* for mincore() */
static size_t vector_size;    /* bytes */

static struct token *token_of(const struct sm_spare *spare)
{
    return (struct token *)spare->start;
}

static size_t tokens_length(void)
{
    return SM_SPARE_TOKENS * sm_os_page;
}

/* The pages behind the token pages. */
static char *body_of(const struct sm_spare *spare)
{
    return spare->start + tokens_length();
}

static size_t body_length(const struct sm_spare *spare)
{
    return spare->length - tokens_length();
}

void sm_spare_drop(struct sm_spare *spare)
{
    sm_pages_unmap(spare->start, spare->length);
    total -= spare->length;
    spare->length = 0;
    sm_stats.spare_bytes = total;
}

bool sm_spares_release(void)
{
    bool any;

    /* A handler of fork that allocates must not take away what this very fork uses. */
    if (sm_window_is_mine() || sm_seccomp_forbids(SM_CALL_MUNMAP))
        return false;
    sm_lock_take(&release_lock);
    any = total != 0;
    for (unsigned i = 0; i < SPARES; i++) {
        if (spares[i].length)
            sm_spare_drop(&spares[i]);
    }
    sm_lock_drop(&release_lock);
    return any;
}

void sm_spares_forget(bool in_spare)
{
    for (unsigned i = 0; i < SPARES; i++)
        spares[i].length = 0;
    total = 0;
    unused = 0;
    if (!in_spare)
        own = NULL;
    sm_stats.spare_bytes = sm_stats.forks_recycled = 0;
}

/*
 * Opens this process's pagemap. Returns a negative value on failure. In a root directory that
 * others may write to, the file may be one of theirs; that file has a size, unlike the
 * kernel's.
 */
static long pagemap_open(void)
{
    long pagemap = sm_sys(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (pagemap < 0)
        return pagemap;
    if (sm_sys(SYS_newfstatat, pagemap, "", &status, AT_EMPTY_PATH) == 0 && status.st_size == 0)
        return pagemap;
    sm_sys(SYS_close, pagemap);
    return -1;
}

/*
 * Returns whether this process alone maps the token pages. False also if the kernel does not
 * tell.
 */
static bool is_exclusive(long pagemap, const struct sm_spare *spare)
{
    uint64_t entries[SM_SPARE_TOKENS] = {0}, all = PAGEMAP_EXCLUSIVE;
    off_t at = (off_t)((uintptr_t)spare->start / sm_os_page * sizeof(*entries));

    if (sm_sys(SYS_pread64, pagemap, entries, sizeof(entries), at) != sizeof(entries))
        return false;
    for (unsigned i = 0; i < SM_SPARE_TOKENS; i++)
        all &= entries[i];
    return all != 0;
}

/* Looks whether the children that have spares are gone. */
static void look_at_lent(long pagemap)
{
    unsigned looks = 0;

    for (unsigned n = 0; n < SPARES && looks < LOOKS; n++) {
        struct sm_spare *spare = &spares[next_look++ % SPARES];
        struct token *token;
        if (!spare->length || !spare->lent)
            continue;
        looks++;
        token = token_of(spare);
        if (!__atomic_load_n(&token->taken, __ATOMIC_ACQUIRE)) {
            /* The child has not run yet, or died before it could show itself. */
            if (forks - spare->since > PATIENCE)
                sm_spare_drop(spare);
        } else if (is_exclusive(pagemap, spare)) {
            if (__atomic_load_n(&token->shared, __ATOMIC_ACQUIRE))
                sm_spare_drop(spare);
            else
                spare->lent = false;
        }
    }
}

static bool fits(const struct sm_spare *spare, const size_t sizes[SM_PARTS])
{
    for (unsigned p = 0; p < SM_PARTS; p++) {
        if (spare->room[p] < sizes[p])
            return false;
    }
    return true;
}

/*
 * Returns the bytes that all spares together may map. RLIMIT_MEMLOCK counts what is mapped;
 * where more is mapped than it allows, it does not apply to this process.
 */
static size_t most(void)
{
    struct rlimit limit = {0};

    if (sm_settings.fork_reserve != SM_FORK_RESERVE_AUTO)
        return sm_min(sm_settings.fork_reserve, sm_arena.cap);
    if (sm_seccomp_forbids(SM_CALL_PRLIMIT) ||
        sm_sys(SYS_prlimit64, 0, RLIMIT_MEMLOCK, NULL, &limit) != 0)
        return 0;
    if (limit.rlim_cur == RLIM_INFINITY || sm_arena.mapped + total > limit.rlim_cur)
        return sm_arena.cap;
    return sm_min(sm_arena.cap, limit.rlim_cur / 2);
}

/* Drops the spare that was lent the longest ago. Returns false if no spare is lent. */
static bool drop_oldest(void)
{
    struct sm_spare *oldest = NULL;

    for (unsigned i = 0; i < SPARES; i++) {
        struct sm_spare *spare = &spares[i];
        if (spare->length && spare->lent &&
            (!oldest || forks - spare->since > forks - oldest->since))
            oldest = spare;
    }
    if (oldest)
        sm_spare_drop(oldest);
    return oldest != NULL;
}

static struct sm_spare *unused_slot(void)
{
    for (unsigned i = 0; i < SPARES; i++) {
        if (!spares[i].length)
            return &spares[i];
    }
    return drop_oldest() ? unused_slot() : NULL;
}

static struct sm_spare *spare_make(const size_t sizes[SM_PARTS])
{
    struct sm_secret_map map = {.length = tokens_length() + sm_os_page, .to_move = true};
    struct sm_spare made = {.start = NULL}, *slot;
    int error;

    for (unsigned p = 0; p < SM_PARTS; p++) {
        made.at[p] = map.length;
        made.room[p] = sizes[p];
        map.length += sizes[p];
    }
    while (total + map.length > most()) {
        if (!drop_oldest())
            return NULL;
    }
    slot = unused_slot();
    if (!slot)
        return NULL;
    sm_pages_map_secret(&map);
    error = map.error;
    for (size_t at = 0; at < tokens_length() && !error; at += sm_os_page)
        error = sm_pages_populate((char *)map.address + at);
    if (map.error)
        return NULL;
    if (error) {
        sm_pages_unmap(map.address, map.length);
        return NULL;
    }
    made.start = map.address;
    made.length = map.length;
    total += made.length;
    sm_stats.spare_bytes = total;
    *slot = made;
    return slot;
}

static bool vector_fits(size_t pages)
{
    if (pages <= vector_size)
        return true;
    if (vector_size)
        sm_pages_unmap(vector, vector_size);
    vector_size = sm_round_up(pages, sm_os_page);
    vector = sm_pages_private(vector_size, false);
    if (!vector)
        vector_size = 0;
    return vector != NULL;
}

/*
 * Asks which pages of the spare are resident, also those that only its last user touched. To a
 * process that may not know, the kernel calls all pages resident, also the one that nobody
 * touches.
 */
static bool spare_open(const struct sm_spare *spare)
{
    return vector_fits(spare->length / sm_os_page) &&
           sm_sys(SYS_mincore, spare->start, spare->length, vector) == 0 &&
           !(vector[SM_SPARE_TOKENS] & 1) &&
           sm_pages_protect(body_of(spare), body_length(spare), true) == 0;
}

/* Unmaps an unused spare if spares have been unused for long. */
static void spares_trim(unsigned idle, unsigned lent)
{
    unused = idle > lent + 1 ? unused + 1 : 0;
    if (unused < TRIM_PATIENCE)
        return;
    unused = 0;
    for (unsigned i = SPARES; i-- > 0;) {
        if (spares[i].length && !spares[i].lent) {
            sm_spare_drop(&spares[i]);
            return;
        }
    }
}

/* Returns an idle spare that fits. Drops those that do not fit, since the arena has grown. */
static struct sm_spare *idle_spare(const size_t sizes[SM_PARTS])
{
    struct sm_spare *found = NULL;
    unsigned idle = 0, lent = 0;

    for (unsigned i = 0; i < SPARES; i++) {
        struct sm_spare *spare = &spares[i];
        if (!spare->length)
            continue;
        lent += spare->lent;
        if (spare->lent)
            continue;
        if (!fits(spare, sizes)) {
            sm_spare_drop(spare);
            continue;
        }
        idle++;
        found = found ? found : spare;
    }
    spares_trim(idle, lent);
    return found && found->length ? found : NULL;
}

struct sm_spare *sm_spare_take(const size_t sizes[SM_PARTS], unsigned char **resident)
{
    struct sm_spare *spare;
    long pagemap = pagemap_open();

    forks++;
    /* Without it no child could be seen to end, so a spare would be of no use afterwards. */
    if (pagemap < 0) {
        sm_spares_release();
        return NULL;
    }
    look_at_lent(pagemap);
    spare = idle_spare(sizes);
    /* Read twice, because the kernel may have been migrating the token when it was looked at.
     */
    if (spare && !is_exclusive(pagemap, spare)) {
        spare->lent = true;
        spare = NULL;
    }
    sm_stats.forks_recycled += spare != NULL;
    if (!spare)
        spare = spare_make(sizes);
    /* A kernel that does not tell what is exclusive says no of a new page as well. */
    if (spare && (!is_exclusive(pagemap, spare) || !spare_open(spare))) {
        sm_spares_release();
        spare = NULL;
    }
    sm_sys(SYS_close, pagemap);
    *resident = vector;
    if (spare)
        *token_of(spare) = (struct token){.taken = 0};
    return spare;
}

void sm_spare_lend(struct sm_spare *spare)
{
    spare->lent = true;
    spare->since = forks;
    if (sm_pages_inherit(spare->start, spare->length, false) != 0 ||
        sm_pages_protect(body_of(spare), body_length(spare), false) != 0)
        sm_spare_drop(spare);
}

void sm_spare_accept(struct sm_spare *spare)
{
    own = token_of(spare);
    for (size_t at = sm_os_page; at < tokens_length(); at += sm_os_page)
        *(volatile char *)(spare->start + at) = 0;
    /* These stores map the pages in this process, and the parent reads the word afterwards. */
    __atomic_store_n(&own->taken, 1, __ATOMIC_SEQ_CST);
}

void sm_spare_share(void)
{
    if (own)
        __atomic_store_n(&own->shared, 1, __ATOMIC_SEQ_CST);
}
