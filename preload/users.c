/* SPDX-License-Identifier: Apache-2.0 */
#include "users.h"
#include "report.h"

#define USERS_MAX 64

/*
 * Entries are added, the count last, and not removed: one that is unloaded keeps its place
 * for when it comes back there. So a reader finds at every moment what is right.
 */
static struct user {
    struct range code;
    unsigned of; /* USERS_NONE: unloaded */
    bool seen;   /* in this look */
} users[USERS_MAX];
static unsigned number;
static bool said;

void users_begin(void)
{
    for (unsigned i = 0; i < number; i++)
        users[i].seen = false;
}

void users_note(struct range code, unsigned of)
{
    unsigned i = 0;

    while (i < number && (users[i].code.from != code.from || users[i].code.to != code.to))
        i++;
    if (i == USERS_MAX) {
        sm_report_once(&said,
                       "more than %d libraries were linked with a libcrypto that is not "
                       "protected: those that follow may fail",
                       USERS_MAX);
        return;
    }
    if (i < number) {
        __atomic_store_n(&users[i].of, of, __ATOMIC_RELAXED);
        users[i].seen = true;
        return;
    }
    users[i] = (struct user){code, of, true};
    __atomic_store_n(&number, number + 1, __ATOMIC_RELEASE);
}

void users_end(void)
{
    for (unsigned i = 0; i < number; i++) {
        if (!users[i].seen)
            __atomic_store_n(&users[i].of, USERS_NONE, __ATOMIC_RELAXED);
    }
}

unsigned users_find(const void *caller)
{
    unsigned there = __atomic_load_n(&number, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < there; i++) {
        unsigned of = __atomic_load_n(&users[i].of, __ATOMIC_RELAXED);
        if (of != USERS_NONE && range_has(users[i].code, caller))
            return of;
    }
    return USERS_NONE;
}
