/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator. An input is a list of operations of four bytes: what, which block, and how
 * large. Threads take turns, so that an input does the same each time, and pass blocks to one
 * another; one operation lets them run at once. A forked child checks its copy and works on it;
 * only there limits are lowered and blocks misused, because neither can be undone.
 */
#include "arena/scavenge.h"
#include "arena/size_class.h"
#include "blocks.h"
#include "heap/malloc.h"
#include "secretmem.h"
#include "workers.h"
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    OPERATIONS_MOST = 512,
    FORKS_MOST = 2,
    BYTES_MOST = 12 << 20, /* of all requests of an input, which take their time */
};

static struct {
    struct input input;
    unsigned thread;
    unsigned forks;
    size_t bytes;
    bool child;
} run;

/* The clock of the scavenger, which an operation puts forward */
static struct timespec now = {1000, 0};

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    (void)clock;
    *time = now;
    return 0;
}

/* The order of slots is the same in every run. */
uint64_t __wrap_sm_pages_random(void);
uint64_t __wrap_sm_pages_random(void)
{
    static uint64_t random = 1;

    return random = random * 6364136223846793005ULL + 1442695040888963407ULL;
}

/* Sizes at which something changes, and any others. */
static size_t size_of(unsigned code)
{
    size_t v = code & 0x1fff;

    switch (code >> 13) {
    case 0:
        return v % 300;
    case 1:
        return sm_classes[v % SM_CLASSES].size - (size_t)SM_CHECK_SLACK + v / SM_CLASSES % 5 -
               2;
    case 2:
        return v;
    case 3:
        return (1 + v % 64) * SM_PAGE + v / 64 % 9 - 4;
    case 4:
        return (1 + v % 8) * 64 * SM_KIB + v / 8 % 9 - 4;
    case 5:
        return v * 16;
    case 6:
        return v * 32;
    default:
        return v % 31 == 0 ? 5 * SM_MIB + v : v % 2000;
    }
}

static bool affordable(size_t size)
{
    run.bytes += size + 64;
    return run.bytes < BYTES_MOST;
}

static void request_block(struct step *step)
{
    static const size_t alignments[] = {1, 16, 32, 64, 256, 1024, 4096, 8192, 65536, 1 << 20};
    struct request *request = &step->request;

    switch (step->kind) {
    case STEP_CALLOC:
        request->count = 1 + step->number % 5;
        if (step->size == 0 && step->number % 7 == 0)
            *request = (struct request){.size = SIZE_MAX / 2, .count = 3};
        break;
    case STEP_ALIGNED:
        request->alignment =
            alignments[step->number % (sizeof(alignments) / sizeof(alignments[0]))];
        break;
    default:
        break;
    }
}

/* A time at which the scavenger is due, several times. */
static void scavenge(unsigned periods)
{
    for (unsigned i = 0; i < periods % 8; i++) {
        now.tv_sec++;
        for (unsigned k = 0; k < 4; k++)
            sm_free(sm_malloc(1000 + k * 3000, k));
    }
}

/* Only in a child, whose settings are nobody's. */
static void limit(unsigned how)
{
    struct rlimit limit = {0, RLIM_INFINITY};

    if (!run.child)
        return;
    blocks_scarce = true;
    if (how % 3 == 0) {
        sm_heap_shrink((size_t)how << 14);
        return;
    }
    getrlimit(how % 3 == 1 ? RLIMIT_MEMLOCK : RLIMIT_DATA, &limit);
    limit.rlim_cur = (rlim_t)how * (how % 3 == 1 ? 64 : 256) * 1024;
    if (limit.rlim_cur < limit.rlim_max)
        setrlimit(how % 3 == 1 ? RLIMIT_MEMLOCK : RLIMIT_DATA, &limit);
}

/* What ends the process, and returns where it should not. */
static void misuse(unsigned how)
{
    size_t size;
    char *block = blocks_any(&size);

    if (!block)
        _exit(3);
    switch (how % 4) {
    case 0:
        sm_free(block);
        sm_free(block);
        break;
    case 1:
        sm_free(block + 16);
        break;
    case 2: /* the canary */
        block[size] ^= 0x55;
        sm_free(block);
        break;
    default:
        sm_free(block + 1);
        break;
    }
    _exit(2);
}

static int status_of(pid_t pid)
{
    int status;

    EXPECT(pid > 0, "no child");
    while (waitpid(pid, &status, 0) != pid)
        ;
    return status;
}

/* A child that must end with SIGABRT, or has no block to misuse. */
static void misuse_in_child(unsigned how)
{
    int status;
    pid_t pid;

    if (run.child || run.forks++ >= FORKS_MOST)
        return;
    pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        misuse(how);
    }
    status = status_of(pid);
    EXPECT((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) ||
               (WIFEXITED(status) && WEXITSTATUS(status) == 3),
           "misuse %u was not detected: status %x", how % 4, (unsigned)status);
}

static void go_on(unsigned most);

/* Forks; the child checks, and goes on with the operations that come now. */
static void fork_and_check(unsigned how, bool parallel)
{
    pid_t pid;

    if (run.child || run.forks++ >= FORKS_MOST)
        return;
    pid = fork();
    if (pid == 0) {
        run.child = true;
        run.thread = 0;
        /* While others run, what they do to theirs is not known. */
        blocks_check(0, parallel ? 3 : 1);
        if (!parallel) {
            go_on(how % 16);
            blocks_check(0, 1);
            blocks_end();
        }
        _exit(0);
    }
    EXPECT(status_of(pid) == 0, "a child ended");
}

static void run_at_once(unsigned seed)
{
    if (run.child || !affordable(2 * SM_MIB))
        return;
    workers_start(seed);
    workers_mix(0, seed);
    if (seed % 8 == 0)
        fork_and_check(0, true);
    workers_wait();
    blocks_check(0, 1);
}

static void other(unsigned which, unsigned how)
{
    switch (which) {
    case 0:
        scavenge(how);
        break;
    case 1:
        limit(how);
        break;
    case 2:
        fork_and_check(how, false);
        break;
    case 3:
        misuse_in_child(how);
        break;
    case 4:
        run_at_once(how);
        break;
    case 5:
        if (!run.child)
            workers_renew(1 + how % 2);
        break;
    case 6:
        blocks_check(0, 1);
        break;
    default:
        run.thread = run.child ? 0 : how % (1 + WORKERS);
        break;
    }
}

/* Does at most so many operations. */
static void go_on(unsigned most)
{
    while (run.input.left > 0 && most-- > 0) {
        unsigned what = input_byte(&run.input), which = input_byte(&run.input);
        unsigned code = (unsigned)input_number(&run.input, 2);
        struct step step = {.kind = what & 7, .number = which % BLOCKS, .size = size_of(code)};

        if (step.kind >= STEP_KINDS) {
            other(what >> 3 & 7, which);
            continue;
        }
        step.request = (struct request){what >> 3 & 3, step.size, 1, 1};
        request_block(&step);
        if (affordable(step.size * (step.kind == STEP_CALLOC ? 5 : 1)))
            workers_do(run.thread, &step);
    }
}

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* With CAP_IPC_LOCK, RLIMIT_MEMLOCK is no limit. */
static void drop_ipc_lock(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &head, data) != 0)
        return;
    data[0].effective &= ~(1U << CAP_IPC_LOCK);
    data[0].permitted &= ~(1U << CAP_IPC_LOCK);
    syscall(SYS_capset, &head, data);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const struct rlimit no_core = {1, 1};
    struct rlimit locked = {0, 0};

    (void)argc, (void)argv;
    setrlimit(RLIMIT_CORE, &no_core);
    if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}) != 0) {
        getrlimit(RLIMIT_MEMLOCK, &locked);
        locked.rlim_cur = locked.rlim_max;
        setrlimit(RLIMIT_MEMLOCK, &locked);
    }
    drop_ipc_lock();
    EXPECT(secretmem_configure("ARENA_SIZE", "64M") == 0, "a size");
    EXPECT(secretmem_configure("LOG", "none") == 0, "a destination");
    secretmem_free(secretmem_malloc(1));
    blocks_begin();
    workers_begin();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&run, 0, sizeof(run));
    run.input = (struct input){data, size};
    go_on(OPERATIONS_MOST);
    blocks_check(0, 1);
    blocks_end();
    scavenge(3);
    return 0;
}
