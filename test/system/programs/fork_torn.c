/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that threads publish by an atomic swap are whole in every forked child.
 *
 *   fork_torn KIND plain|inside    where the published pointer lies: ordinary memory, or
 *                                  itself in a block of OpenSSL's
 *
 * A child that saw the pointer of one moment and the contents of another sees a torn object. */
#include "common.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { THREADS = 3, SLOTS = 8, CHILDREN = 100 };

struct object {
    uint64_t seed;
    size_t size; /* of the pattern behind */
    unsigned char pattern[];
};

static _Atomic(struct object *) plain_slots[THREADS][SLOTS];
static _Atomic(struct object *) (*slots)[SLOTS] = plain_slots;
static atomic_bool stopped;
static atomic_ulong swaps;

static struct object *new_object(uint64_t seed)
{
    size_t size = 16 + seed * 37 % 700;
    struct object *object = OPENSSL_malloc(sizeof(*object) + size);
    if (!object)
        broken("OPENSSL_malloc");
    object->seed = seed;
    object->size = size;
    fill(object->pattern, size, seed);
    return object;
}

static void *publish(void *argument)
{
    uintptr_t me = (uintptr_t)argument;

    for (uint64_t seed = me << 40; !atomic_load(&stopped); seed++) {
        struct object *old = atomic_exchange(&slots[me][seed % SLOTS], new_object(seed));
        OPENSSL_free(old);
        atomic_fetch_add(&swaps, 1);
    }
    return NULL;
}

static bool object_whole(const struct object *object)
{
    return object->size == 16 + object->seed * 37 % 700 &&
           whole(object->pattern, object->size, object->seed);
}

/* In the child, where no other thread runs any more. */
static int look(void)
{
    for (int thread = 0; thread < THREADS; thread++) {
        for (int slot = 0; slot < SLOTS; slot++) {
            struct object *object = atomic_load(&slots[thread][slot]);
            if (!object_whole(object))
                return 1;
            OPENSSL_free(object);
        }
    }
    void *another = filled_block(2000, 1);
    return whole(another, 2000, 1) ? 0 : 2;
}

static void fork_while_publishing(void)
{
    pthread_t ids[THREADS];
    int torn = 0, otherwise = 0;

    for (int thread = 0; thread < THREADS; thread++) {
        for (uint64_t slot = 0; slot < SLOTS; slot++)
            slots[thread][slot] = new_object(slot);
    }
    check_kind(slots[0][0], "objects");
    for (uintptr_t i = 0; i < THREADS; i++) {
        if (pthread_create(&ids[i], NULL, publish, (void *)i) != 0)
            broken("pthread_create");
    }
    for (int turn = 0; turn < CHILDREN; turn++) {
        unsigned long before = atomic_load(&swaps);
        while (atomic_load(&swaps) < before + 50)
            sched_yield();
        pid_t child = fork();
        if (child == 0)
            _exit(look());
        int status = status_within(child, 20);
        torn += status == 1;
        otherwise += status != 0 && status != 1;
    }
    atomic_store(&stopped, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
    check(torn == 0, "%d of %d children see a torn object", torn, CHILDREN);
    check(otherwise == 0, "%d of %d children die or hang", otherwise, CHILDREN);
}

static void inside(void)
{
    slots = OPENSSL_zalloc(sizeof(plain_slots));
    if (!slots)
        broken("OPENSSL_zalloc");
    check_kind(slots, "the published pointers");
    fork_while_publishing();
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"plain", fork_while_publishing},
        {"inside", inside},
        {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
