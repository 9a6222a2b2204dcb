/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that cannot be made what it must be is not given out. */
#include "os/pages.h"
#include "support.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define LENGTH (16 * SM_KIB)

/* Anonymous memory is undumpable and not inherited, or there is none. */
static void anonymous(void *advice)
{
    char *place;

    sm_pages_init();
    place = sm_pages_reserve(LENGTH);
    CHECK(place && sm_pages_map_anonymous(place, LENGTH) == 0);
    CHECK(mapping_has(place, "dd") && mapping_has(place, "dc"));
    filter_argument(SYS_madvise, 2, *(uint32_t *)advice, SECCOMP_RET_ERRNO | ENOMEM);
    CHECK(sm_pages_map_anonymous(place, LENGTH) == -ENOMEM);
    CHECK(!accessible(place));
}

Test(pages, anonymous)
{
    uint32_t advice[] = {MADV_DONTDUMP, MADV_DONTFORK};

    for (int i = 0; i < 2; i++)
        cr_assert_eq(in_child(anonymous, &advice[i]), 0);
}

static unsigned mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned lines = 0;
    int c;

    CHECK(maps);
    while ((c = getc(maps)) != EOF)
        lines += c == '\n';
    fclose(maps);
    return lines;
}

/* Secret memory that children would share is given back at once. */
static void secret(void *arg)
{
    struct sm_secret_map map = {.length = LENGTH};
    unsigned before;

    (void)arg;
    sm_pages_init();
    mappings(); /* maps the stream's buffer */
    before = mappings();
    filter_argument(SYS_madvise, 2, MADV_DONTFORK, SECCOMP_RET_ERRNO | ENOMEM);
    for (int i = 0; i < 10; i++) {
        map.address = NULL;
        sm_pages_map_secret(&map);
        CHECK(map.error == -ENOMEM);
    }
    CHECK(mappings() == before);
}

Test(pages, secret)
{
    cr_assert_eq(in_child(secret, NULL), 0);
}
