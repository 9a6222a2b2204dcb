/* SPDX-License-Identifier: Apache-2.0 */
#include "fork/external_move.h"
#include "os/page_access.h"
#include "os/pages.h"
#include <string.h>

int sm_external_populate(char *pages, size_t length, volatile uint32_t *progress)
{
    int error = 0;

    for (size_t at = 0; at < length && !error; at += sm_os_page) {
        error = sm_pages_populate(pages + at);
        if (progress)
            ++*progress;
    }
    return error;
}

int sm_external_refresh(char *to, char *from, size_t length)
{
    int changed = 0, error = 0;

    for (size_t at = 0; at < length && !error; at += sm_os_page) {
        bool hidden = sm_page_access(from + at) == SM_ACCESS_NONE;
        if (hidden)
            error = sm_page_set_access(from + at, sm_os_page, SM_ACCESS_READ);
        if (!error && memcmp(to + at, from + at, sm_os_page) != 0) {
            memcpy(to + at, from + at, sm_os_page);
            changed = 1;
        }
        if (hidden && !error)
            error = sm_page_set_access(from + at, sm_os_page, SM_ACCESS_NONE);
    }
    return error ? error : changed;
}

size_t sm_external_place(char *pages, char *place, size_t length, bool secret)
{
    size_t at = 0, end;

    for (; at < length; at = end) {
        enum sm_access access = sm_page_access(place + at);
        for (end = at + sm_os_page; end < length; end += sm_os_page) {
            if (sm_page_access(place + end) != access)
                break;
        }
        if (sm_pages_move(pages + at, place + at, end - at, secret) != 0)
            return at;
        if (access != SM_ACCESS_WRITE)
            sm_page_set_access(place + at, end - at, access);
    }
    return length;
}
