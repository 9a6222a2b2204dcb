/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/spares.h"
#include "arena/backing.h"
#include "arena/fork_window.h"
#include "base/counters.h"
#include "base/settings.h"
#include "os/pages.h"
#include "os/seccomp_calls.h"
#include "os/syscall.h"
#include <sys/shm.h>

#define SPARES 64
#define LOOKS  8 /* lent spares that one fork looks at */

static struct sm_lock release_lock; /* threads inside the allocator; never held at fork */
static struct sm_spare spares[SPARES];
static size_t total;          /* bytes of all spares */
static unsigned forks;        /* that asked for a spare */
static unsigned next_look;    /* the next spare to look at */
static unsigned recent;       /* spares that were lent at one time, falling slowly */
static void *own;             /* the token, in a child that lives in a spare */
static unsigned char *vector; /* for mincore() */
static size_t vector_size;    /* bytes */

/*
 * Makes the token, a page of System V shared memory. The kernel counts its attachments, one for
 * each memory that has the mapping, from the clone to the very end of that memory. The segment
 * is removed at once, and goes with its last attachment.
 */
static bool token_make(struct sm_spare *spare)
{
    long id = sm_sys(SYS_shmget, IPC_PRIVATE, sm_os_page, 0600), at;

    if (sm_failed(id))
        return false;
    at = sm_sys(SYS_shmat, id, NULL, 0);
    sm_sys(SYS_shmctl, id, IPC_RMID, NULL);
    if (sm_failed(at))
        return false;
    spare->token_id = (int)id;
    spare->token = (void *)at;
    return sm_pages_inherit(spare->token, sm_os_page, false) == 0;
}

/*
 * Returns whether this process alone has the token. False also if the kernel does not tell, as
 * after a change of user.
 */
static bool is_exclusive(const struct sm_spare *spare)
{
    struct shmid_ds status = {.shm_nattch = 0};

    return sm_sys(SYS_shmctl, spare->token_id, IPC_STAT, &status) == 0 &&
           status.shm_nattch == 1;
}

void sm_spare_drop(struct sm_spare *spare)
{
    sm_pages_unmap(spare->start, spare->length);
    sm_pages_unmap(spare->token, sm_os_page);
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
    recent = 0;
    sm_stats.spare_bytes = sm_stats.forks_recycled = 0;
    /* The parent's own token was inherited with the arena, which this child does not use now.
     */
    if (!in_spare && own)
        sm_pages_unmap(own, sm_os_page);
    if (!in_spare)
        own = NULL;
}

/* Looks whether the children that have spares are gone. */
static void look_at_lent(void)
{
    unsigned looks = 0;

    for (unsigned n = 0; n < SPARES && looks < LOOKS; n++) {
        struct sm_spare *spare = &spares[next_look++ % SPARES];
        if (!spare->length || !spare->lent)
            continue;
        looks++;
        spare->lent = !is_exclusive(spare);
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

/* Returns the bytes that all spares together may map. */
static size_t most(void)
{
    return sm_min(sm_settings.fork_reserve, sm_arena.cap);
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
    struct sm_secret_map map = {.length = sm_os_page, .to_move = true};
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
    if (!token_make(&made)) {
        if (made.token)
            sm_pages_unmap(made.token, sm_os_page);
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
 * process that may not know, the kernel calls all pages resident, also the first, which nobody
 * touches.
 */
static bool spare_open(const struct sm_spare *spare)
{
    return vector_fits(spare->length / sm_os_page) &&
           sm_sys(SYS_mincore, spare->start, spare->length, vector) == 0 && !(vector[0] & 1) &&
           sm_pages_protect(spare->start, spare->length, true) == 0;
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

    forks++;
    look_at_lent();
    spare = idle_spare(sizes);
    sm_stats.forks_recycled += spare != NULL;
    if (!spare)
        spare = spare_make(sizes);
    if (spare && (!is_exclusive(spare) || !spare_open(spare))) {
        sm_spares_release();
        spare = NULL;
    }
    *resident = vector;
    return spare;
}

bool sm_spare_inherit(const struct sm_spare *spare, bool on)
{
    return sm_pages_inherit(spare->start, spare->length, on) == 0 &&
           sm_pages_inherit(spare->token, sm_os_page, on) == 0;
}

void sm_spare_lend(struct sm_spare *spare)
{
    spare->lent = true;
    spare->since = forks;
    if (!sm_spare_inherit(spare, false) ||
        sm_pages_protect(spare->start, spare->length, false) != 0)
        sm_spare_drop(spare);
}

void sm_spare_accept(const struct sm_spare *spare)
{
    own = spare->token;
    sm_pages_inherit(own, sm_os_page, false);
}

bool sm_spare_share(bool on)
{
    return !own || sm_pages_inherit(own, sm_os_page, on) == 0;
}
