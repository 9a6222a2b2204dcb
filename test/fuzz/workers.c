/* SPDX-License-Identifier: Apache-2.0 */
#include "workers.h"
#include <pthread.h>

enum { MIX_STEPS = 48 };

static struct worker {
    pthread_t thread;
    unsigned number;
    const struct step *step; /* NULL: a mix */
    unsigned seed;
    enum { IDLE, BUSY, ENDING } state;
} workers[1 + WORKERS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void do_step(const struct step *step)
{
    switch (step->kind) {
    case STEP_MALLOC:
    case STEP_ALIGNED:
        blocks_malloc(step->number, &step->request);
        break;
    case STEP_CALLOC:
        blocks_calloc(step->number, &step->request);
        break;
    case STEP_REALLOC:
        blocks_realloc(step->number, step->size);
        break;
    default:
        blocks_free(step->number);
        break;
    }
}

void workers_mix(unsigned thread, unsigned seed)
{
    uint32_t random = seed * 2654435761U + thread;

    for (unsigned i = 0; i < MIX_STEPS; i++) {
        struct step step = {.number = (random >> 8) % (BLOCKS / 3) * 3 + thread};

        random = random * 1664525 + 1013904223;
        step.kind = (random >> 28) % STEP_KINDS;
        step.size = random >> 16 & 1 ? random >> 20 & 0xff : random >> 12 & 0x5fff;
        step.request = (struct request){random >> 26 & 3, step.size, 1, 1};
        do_step(&step);
    }
}

static void *work(void *arg)
{
    struct worker *worker = arg;

    pthread_mutex_lock(&lock);
    while (worker->state != ENDING) {
        if (worker->state == IDLE) {
            pthread_cond_wait(&changed, &lock);
            continue;
        }
        pthread_mutex_unlock(&lock);
        if (worker->step)
            do_step(worker->step);
        else
            workers_mix(worker->number, worker->seed);
        pthread_mutex_lock(&lock);
        worker->state = IDLE;
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void set_state(struct worker *worker, int state)
{
    pthread_mutex_lock(&lock);
    worker->state = state;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for(struct worker *worker)
{
    pthread_mutex_lock(&lock);
    while (worker->state == BUSY)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void worker_begin(unsigned number)
{
    workers[number] = (struct worker){.number = number};
    EXPECT(pthread_create(&workers[number].thread, NULL, work, &workers[number]) == 0,
           "no thread");
}

void workers_begin(void)
{
    for (unsigned i = 1; i <= WORKERS; i++)
        worker_begin(i);
}

void workers_do(unsigned thread, const struct step *step)
{
    if (thread == 0) {
        do_step(step);
        return;
    }
    workers[thread].step = step;
    set_state(&workers[thread], BUSY);
    wait_for(&workers[thread]);
}

void workers_start(unsigned seed)
{
    for (unsigned i = 1; i <= WORKERS; i++) {
        workers[i].step = NULL;
        workers[i].seed = seed;
        set_state(&workers[i], BUSY);
    }
}

void workers_wait(void)
{
    for (unsigned i = 1; i <= WORKERS; i++)
        wait_for(&workers[i]);
}

void workers_renew(unsigned thread)
{
    set_state(&workers[thread], ENDING);
    pthread_join(workers[thread].thread, NULL);
    worker_begin(thread);
}
