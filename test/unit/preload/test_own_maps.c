/* SPDX-License-Identifier: Apache-2.0 */
#include "hooks/own_maps.h"
#include <criterion/criterion.h>
#include <stdint.h>

#define PAGE ((size_t)4096)
#define MAPS 64

static const char *const place = (const char *)0x7f0000000000;

static bool has(size_t first, size_t pages)
{
    return own_maps_has(place + first * PAGE, pages * PAGE);
}

Test(own_maps, whole_and_part)
{
    cr_assert_not(has(0, 1));
    own_maps_add(place, 4 * PAGE);
    cr_assert(has(0, 4) && has(1, 3) && has(3, 1));
    cr_assert_not(has(0, 5));
    cr_assert_not(has(4, 1));
    own_maps_add(place + 100 * PAGE, 5 * PAGE);
    cr_assert(has(100, 2) && !has(100, 1), "less than a quarter");
    cr_assert(own_maps_has(place + 100, 1), "an odd address lies in its page");
}

Test(own_maps, removed)
{
    own_maps_add(place, 16 * PAGE);
    own_maps_remove(place, 4 * PAGE);
    own_maps_remove(place + 12 * PAGE, 100 * PAGE);
    cr_assert(has(4, 8) && !has(3, 8) && !has(4, 9), "the rest is kept");
    own_maps_remove(place + 8 * PAGE, PAGE);
    cr_assert_not(has(4, 4), "with a hole it is nobody's");
    own_maps_add(place, 4 * PAGE);
    own_maps_remove(place, 4 * PAGE);
    cr_assert_not(has(0, 1));
    own_maps_add(place, 4 * PAGE);
    own_maps_remove(place - 10 * PAGE, 30 * PAGE);
    cr_assert_not(has(0, 4));
}

Test(own_maps, largest)
{
    own_maps_add(place, OWN_MAPS_LARGEST);
    cr_assert(own_maps_has(place, OWN_MAPS_LARGEST));
    own_maps_remove(place, OWN_MAPS_LARGEST);
    own_maps_add(place, OWN_MAPS_LARGEST + 1);
    cr_assert_not(own_maps_has(place, OWN_MAPS_LARGEST));
    own_maps_add(place, 0);
    cr_assert_not(own_maps_has(place, 1));
    own_maps_add((const char *)0x00fffffffffff000, PAGE);
    cr_assert(own_maps_has((const char *)0x00fffffffffff000, PAGE),
              "with five levels of tables");
}

Test(own_maps, last_ones)
{
    for (size_t i = 0; i <= MAPS; i++)
        own_maps_add(place + 100 * i * PAGE, PAGE);
    cr_assert_not(has(0, 1), "the first is forgotten");
    for (size_t i = 1; i <= MAPS; i++)
        cr_assert(has(100 * i, 1));
}
