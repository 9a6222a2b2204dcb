/* SPDX-License-Identifier: Apache-2.0 */
#include "heap/canary.h"
#include "base/settings.h"
#include "heap/misuse.h"
#include "os/valgrind.h"
#include "os/zero.h"

uint64_t sm_canary = 0x5ca1ab1e0ddba115; /* until sm_canary_init */

void sm_canary_init(uint64_t random)
{
    /* Each byte has its lowest bit set, so no byte is zero. */
    sm_canary = random | 0x0101010101010101;
}

static uint64_t below(size_t n)
{
    return ((uint64_t)1 << (n % 8 * 8)) - 1;
}

void sm_canary_put(void *p, size_t n)
{
    if (SM_CHECK_SLACK)
        *sm_canary_word(p, n) = (*sm_canary_word(p, n) & below(n)) | sm_canary << (n % 8 * 8);
}

void sm_canary_drop(void *p, size_t n)
{
    if (SM_CHECK_SLACK)
        *sm_canary_word(p, n) &= below(n);
}

bool sm_rest_good(const char *p, size_t n, size_t size)
{
    size_t from = SM_EXTENT(n);

    if (!SM_CHECK_SLACK || !sm_settings.zero || from >= size)
        return true;
    if (from % SM_GRANULE) {
        if (*(const sm_word *)(p + from) != 0)
            return false;
        from += sizeof(sm_word);
    }
    return sm_is_zero(p + from, size - from);
}

void sm_check_growth(char *p, size_t old, size_t n)
{
    size_t from, to;
    bool clear = true;

    if (!SM_CHECK_REUSE || !sm_settings.zero || sm_on_valgrind())
        return;
    from = sm_round_up(SM_EXTENT(old), SM_GRANULE);
    to = sm_round_up(n, SM_GRANULE);
    if (SM_EXTENT(old) % SM_GRANULE == 8 && n > SM_EXTENT(old))
        clear = *(const sm_word *)(p + SM_EXTENT(old)) == 0;
    if (!clear || (to > from && !sm_is_zero(p + from, to - from)))
        sm_misuse_dirty(p + SM_EXTENT(old), to - SM_EXTENT(old));
}
