/* SPDX-License-Identifier: Apache-2.0 */
/* A libcrypto that locks a secure heap of its own.
 *
 *   lock_heap KIND child|deny|others|part */
#include "common.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

extern int fake_lock(void *, size_t, int);

enum { HEAP = 65536, PAGE = 4096, STACK = 262144 };

static char *mapped(int flags)
{
    return mmap(NULL, HEAP, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
}

/* Between two guard pages, as OpenSSL makes it */
static char *guarded(size_t size)
{
    char *all = mmap(NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (all == MAP_FAILED || mprotect(all + PAGE, size, PROT_READ | PROT_WRITE) != 0)
        broken("mmap");
    return all + PAGE;
}

static char *locked_heap(int by_syscall)
{
    static void *list;
    char *heap = guarded(HEAP);
    void **node = (void **)heap;

    node[1] = list = heap; /* the one free block, in a list of its own */
    check(fake_lock(heap, HEAP, by_syscall) == 0, "memory is locked, %s",
          by_syscall ? "by a system call" : "by mlock");
    check_kind(heap + HEAP / 2, "what a libcrypto locks");
    check(node[0] == NULL && node[1] == list, "its contents are kept");
    fill(heap, HEAP, 1);
    return heap;
}

/* A child has a copy of its own. */
static void in_child(void)
{
    for (int by_syscall = 0; by_syscall < 2; by_syscall++) {
        char *heap = locked_heap(by_syscall);
        pid_t child = fork();

        if (child == 0) {
            bool good = whole(heap, HEAP, 1) && kind_of(heap) == expected;
            fill(heap, HEAP, 2);
            _exit(good && whole(heap, HEAP, 2) ? 0 : 1);
        }
        check(status_of(child) == 0, "a child has the contents, and may write");
        check(whole(heap, HEAP, 1), "the parent's are what they were");
        munmap(heap, HEAP);
        child = fork();
        if (child == 0)
            _exit(0);
        check(status_of(child) == 0, "a child after it was unmapped");
    }
    char *own = mmap(NULL, HEAP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(own != MAP_FAILED && mlock(own, HEAP) == 0, "the program locks memory");
    check(kind_of(own) == MEMORY_ORDINARY, "which is no affair of ours");
}

/* SECRETSSL_FORK=deny */
static void deny(void)
{
    char *heap = locked_heap(1);
    pid_t child = fork();

    if (child == 0)
        _exit(*(volatile char *)heap == 0);
    check(status_of(child) == 1000 + SIGSEGV, "a child that touches it ends");
    check(whole(heap, HEAP, 1), "the parent has it");
}

static int answer(int number)
{
    return number + 1;
}

/* As a thread does that must never wait for a page. Another one's stack is above. */
static void *lock_own_stack(void *argument)
{
    pthread_attr_t attributes;
    void *stack = NULL;
    size_t size = 0;
    volatile int before = 1;

    if (argument)
        pause();
    if (pthread_getattr_np(pthread_self(), &attributes) != 0 ||
        pthread_attr_getstack(&attributes, &stack, &size) != 0)
        broken("pthread_getattr_np");
    check(fake_lock(stack, size, 0) == 0 && before == 1, "a thread locks its own stack");
    check(kind_of(stack) == MEMORY_ORDINARY, "which stays");
    return NULL;
}

static void stacks(void)
{
    pthread_attr_t attributes;
    pthread_t above, id;

    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, STACK) != 0 ||
        pthread_create(&above, &attributes, lock_own_stack, "waits") != 0 ||
        pthread_create(&id, &attributes, lock_own_stack, NULL) != 0)
        broken("pthread_create");
    pthread_join(id, NULL);
}

/* What else an object locks that has a libcrypto in it: it stays what it is. */
static void others(void)
{
    char *shared = mapped(MAP_SHARED), *own = mapped(MAP_PRIVATE);
    char *used = guarded(HEAP), *odd = guarded(3 * PAGE);
    void *code = (void *)((uintptr_t)answer & ~(uintptr_t)(PAGE - 1));
    int (*volatile call)(int) = answer;
    pid_t child;

    check(fake_lock(shared, HEAP, 0) == 0, "shared memory is locked");
    child = fork();
    if (child == 0) {
        shared[0] = 'y';
        _exit(0);
    }
    check(status_of(child) == 0 && shared[0] == 'y', "and stays shared");
    check(fake_lock(own, HEAP, 0) == 0 && kind_of(own) == MEMORY_ORDINARY,
          "memory without guard pages is locked, and stays");
    fill(used, HEAP, 1);
    ((uintptr_t *)odd)[1] = 1;
    check(fake_lock(used, HEAP, 0) == 0 && kind_of(used) == MEMORY_ORDINARY,
          "so does what is in use");
    check(fake_lock(odd, 3 * PAGE, 0) == 0 && kind_of(odd) == MEMORY_ORDINARY,
          "and what has no size of OpenSSL's");
    check(fake_lock(code, PAGE, 0) == 0 && call(1) == 2, "code is locked, and runs");
    check(fake_lock(own + 1, 1, 0) == 0, "so is what begins in the middle of a page");
    stacks();
}

/* Parts of a heap that are unmapped: a child has a copy of the rest. */
static void part(void)
{
    char *heap = locked_heap(0);
    pid_t child;

    munmap(heap + 4 * PAGE, PAGE);
    munmap(heap, PAGE);
    munmap(heap + HEAP - PAGE, PAGE);
    fill(heap + PAGE, 3 * PAGE, 2);
    fill(heap + 5 * PAGE, HEAP - 6 * PAGE, 3);
    child = fork();
    if (child == 0)
        _exit(whole(heap + PAGE, 3 * PAGE, 2) && whole(heap + 5 * PAGE, HEAP - 6 * PAGE, 3) &&
                      kind_of(heap + PAGE) == expected && kind_of(heap + 5 * PAGE) == expected
                  ? 0
                  : 1);
    check(status_of(child) == 0, "a child has both parts that are left");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"child", in_child}, {"deny", deny}, {"others", others}, {"part", part}, {NULL, NULL},
    };
    return run_case(cases, argc, argv);
}
