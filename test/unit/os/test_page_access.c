/* SPDX-License-Identifier: Apache-2.0 */
#include "os/page_access.h"
#include "os/pages.h"
#include "support.h"
#include <criterion/criterion.h>
#include <string.h>

Test(page_access, found_and_set)
{
    start_heap_of(64 * SM_MIB);
    char *page = sm_pages_private(sm_os_page, false);

    cr_assert_not_null(page);
    cr_assert_eq(sm_page_access(page), SM_ACCESS_WRITE, "before it is resident");
    memset(page, 7, sm_os_page);
    for (enum sm_access access = SM_ACCESS_NONE; access <= SM_ACCESS_WRITE; access++) {
        cr_assert_eq(sm_page_set_access(page, sm_os_page, access), 0);
        cr_assert_eq(sm_page_access(page), access);
    }
    cr_assert(all_bytes(page, 7, sm_os_page), "nothing is changed");
    sm_pages_unmap(page, sm_os_page);
    cr_assert_eq(sm_page_access(page), SM_ACCESS_NONE, "no memory");
}
