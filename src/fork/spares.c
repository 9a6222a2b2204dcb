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

#define SPARES   64
#define LOOKS    8  /* lent spares that one fork looks at */
#define PATIENCE 16 /* forks until a child that never showed itself is given up */

#define PAGEMAP_EXCLUSIVE (UINT64_C(1) << 56)

/*
 * The first page of a spare. The child touches the page and keeps its mapping for as long as
 * its memory exists, so the kernel's count of the page's mappings tells the parent whether any
 * process still uses that memory. The page holds no secrets, and the parent always has access.
 */
struct token {
    uint32_t taken;  /* the child has touched the page */
    uint32_t shared; /* the spare's pages may be read by a child of the child */
};

static struct sm_lock release_lock; /* threads inside the allocator; never held at fork */
static struct sm_spare spares[SPARES];
static size_t total;          /* bytes of all spares */
static unsigned forks;        /* that asked for a spare */
static unsigned next_look;    /* the next spare to look at */
static unsigned recent;       /* spares that were lent at one time, falling slowly */
static struct token *own;     /* in a child that lives in a spare */
static unsigned char *vector; /* for mincore() */
static size_t vector_size;    /* bytes */

static struct token *token_of(const struct sm_spare *spare)
{
    return (struct token *)spare->start;
}

/* The pages behind the token. */
static char *body_of(const struct sm_spare *spare)
{
    return spare->start + sm_os_page;
}

static size_t body_length(const struct sm_spare *spare)
{
    return spare->length - sm_os_page;
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
    if (sm_window_is_mine())
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
    recent = 0;
    if (!in_spare)
        own = NULL;
    sm_stats.spare_bytes = sm_stats.forks_recycled = 0;
}

/* Opens this process's pagemap. Returns a negative errno value on failure. */
static long pagemap_open(void)
{
    return sm_sys(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

/* Returns whether this process alone maps the page. False also if the kernel does not tell. */
static bool is_exclusive(long pagemap, const void *page)
{
    uint64_t entry = 0;
    off_t at = (off_t)((uintptr_t)page / sm_os_page * sizeof(entry));

    return sm_sys(SYS_pread64, pagemap, &entry, sizeof(entry), at) == sizeof(entry) &&
           entry & PAGEMAP_EXCLUSIVE;
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
        } else if (is_exclusive(pagemap, token)) {
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
    struct sm_secret_map map = {.length = 2 * sm_os_page, .to_move = true};
    struct sm_spare made = {.start = NULL}, *slot;

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
    if (map.error)
        return NULL;
    if (sm_pages_populate(map.address) != 0) {
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
           sm_sys(SYS_mincore, spare->start, spare->length, vector) == 0 && !(vector[1] & 1) &&
           sm_pages_protect(body_of(spare), body_length(spare), true) == 0;
}

/*
 * Returns an idle spare that fits. Drops those that do not fit, since the arena has grown, and
 * those beyond what the children of the last forks needed at one time.
 */
static struct sm_spare *idle_spare(const size_t sizes[SM_PARTS])
{
    struct sm_spare *found = NULL;
    unsigned idle = 0, lent = 0;

    for (unsigned i = 0; i < SPARES; i++)
        lent += spares[i].length && spares[i].lent;
    recent = sm_max(lent + 1, recent - (recent + 7) / 8);
    for (unsigned i = 0; i < SPARES; i++) {
        struct sm_spare *spare = &spares[i];
        if (!spare->length || spare->lent)
            continue;
        if (!fits(spare, sizes) || idle == recent) {
            sm_spare_drop(spare);
            continue;
        }
        idle++;
        found = found ? found : spare;
    }
    return found;
}

struct sm_spare *sm_spare_take(const size_t sizes[SM_PARTS], unsigned char **resident)
{
    struct sm_spare *spare;
    long pagemap = pagemap_open();

    forks++;
    /* Without it no child could be seen to end, so a spare would be of no use afterwards. */
    if (pagemap < 0)
        return NULL;
    look_at_lent(pagemap);
    spare = idle_spare(sizes);
    sm_stats.forks_recycled += spare != NULL;
    if (!spare)
        spare = spare_make(sizes);
    /* A kernel that does not tell what is exclusive says no of a new page as well. */
    if (spare && (!is_exclusive(pagemap, spare->start) || !spare_open(spare))) {
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
    /* This store maps the page in this process, and the parent reads the word afterwards. */
    __atomic_store_n(&own->taken, 1, __ATOMIC_SEQ_CST);
}

void sm_spare_share(void)
{
    if (own)
        __atomic_store_n(&own->shared, 1, __ATOMIC_SEQ_CST);
}
