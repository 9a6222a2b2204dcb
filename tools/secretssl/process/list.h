/* SPDX-License-Identifier: Apache-2.0 */
/* Lists that grow by one element at a time. */
#ifndef SECRETSSL_PROCESS_LIST_H
#define SECRETSSL_PROCESS_LIST_H

#include <stdlib.h>

/*
 * Makes room for one element more in a list of count elements of size bytes, all of whose room
 * was made by this function. Returns the list, which may have moved, or NULL if there is no
 * memory; the old list is kept then. A list has room for as many elements as the next power of
 * two, so that it is copied seldom.
 */
static inline void *list_grown(void *list, size_t count, size_t size)
{
    if (count & (count - 1))
        return list;
    return reallocarray(list, count ? 2 * count : 1, size);
}

#endif
