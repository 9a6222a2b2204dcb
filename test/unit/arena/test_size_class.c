/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/size_class.h"
#include <criterion/criterion.h>

static void init(void)
{
    sm_size_class_init();
}

TestSuite(size_class, .init = init);

Test(size_class, smallest_that_fits)
{
    for (size_t n = 1; n <= SM_SMALL_MAX; n++) {
        unsigned c = sm_size_class(n);
        cr_assert_lt(c, SM_CLASSES, "%zu", n);
        /* And a byte of the canary behind it */
        cr_assert_geq(sm_classes[c].size, n + SM_CHECK_SLACK, "%zu", n);
        cr_assert(c == 0 || sm_classes[c - 1].size < n + SM_CHECK_SLACK, "%zu", n);
    }
    cr_assert_eq(sm_class_of[0], 0);
    cr_assert_eq(SM_SMALL_MAX, 8192 - SM_CHECK_SLACK);
}

Test(size_class, sizes)
{
    for (unsigned c = 0; c < SM_CLASSES; c++) {
        size_t size = sm_classes[c].size;
        cr_assert_eq(size % SM_GRANULE, 0);
        cr_assert(c == 0 || size > sm_classes[c - 1].size);
        /* What rounding wastes: at most a granule, or a quarter. */
        if (c)
            cr_assert_leq(size - sm_classes[c - 1].size, size <= 256 ? SM_GRANULE : size / 4);
    }
    cr_assert_eq(sm_classes[0].size, SM_GRANULE);
    cr_assert_eq(sm_classes[SM_CLASSES - 1].size, SM_SLOT_MAX);
}

Test(size_class, powers_of_two)
{
    for (size_t size = SM_GRANULE; size <= SM_SLOT_MAX; size *= 2) {
        unsigned c = sm_size_class(size - SM_CHECK_SLACK);
        cr_assert_eq(sm_classes[c].size, size, "%zu", size);
    }
}

Test(size_class, runs)
{
    for (unsigned c = 0; c < SM_CLASSES; c++) {
        const struct sm_class *class = &sm_classes[c];
        size_t bytes = class->pages * SM_PAGE, used = (size_t)class->slots * class->size;
        cr_assert(class->pages >= 1 && class->pages <= 4, "%d", class->size);
        cr_assert(class->slots >= 1 && class->slots <= SM_SLOTS_MAX, "%d", class->size);
        cr_assert(used <= bytes && bytes - used < class->size, "%d", class->size);
        cr_assert_leq((bytes - used) * 8, bytes, "%d wastes more than an eighth", class->size);
    }
}

Test(size_class, caches)
{
    for (unsigned c = 0; c < SM_CLASSES; c++)
        cr_assert(sm_classes[c].cached >= 1 && sm_classes[c].cached <= 32);
    cr_assert_eq(sm_classes[0].cached, 32);
}

Test(size_class, division)
{
    for (unsigned c = 0; c < SM_CLASSES; c++) {
        uint64_t size = sm_classes[c].size;
        for (uint64_t offset = 0; offset < sm_classes[c].pages * SM_PAGE; offset++)
            cr_assert_eq(offset * sm_classes[c].magic >> 32, offset / size, "%lu / %lu", offset,
                         size);
    }
}
