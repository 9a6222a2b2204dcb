/* SPDX-License-Identifier: Apache-2.0 */
/* Forks by the thousand, by many threads, and while processes are killed.
 *
 *   fork_pressed KIND row|threads|orphans|oom */
#include "common.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { BLOCK = 64 << 10, MOST = 512, THREADS = 200, ORPHANS = 8, HOARDED = 12 };

static void *blocks[MOST];
static size_t count;

static void make_blocks(size_t number)
{
    for (count = 0; count < number; count++)
        blocks[count] = filled_block(BLOCK, count);
}

static bool all_whole(void)
{
    for (size_t i = 0; i < count; i++) {
        if (!whole(blocks[i], BLOCK, i))
            return false;
    }
    return true;
}

static pid_t checking_child(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(all_whole() ? 0 : 3);
    return child;
}

static int entries(const char *path)
{
    DIR *directory = opendir(path);
    int found = 0;

    if (!directory)
        broken(path);
    while (readdir(directory))
        found++;
    closedir(directory);
    return found;
}

/* What must not grow with the number of forks. */
struct use {
    int descriptors, mappings;
    size_t secret;
    long resident;
};

static struct use use_now(void)
{
    struct use use = {.descriptors = entries("/proc/self/fd"), .secret = secret_bytes()};
    FILE *maps = fopen("/proc/self/maps", "re"), *statm = fopen("/proc/self/statm", "re");
    int c;

    if (!maps || !statm || fscanf(statm, "%*d %ld", &use.resident) != 1)
        broken("/proc/self");
    while ((c = getc(maps)) != EOF)
        use.mappings += c == '\n';
    fclose(maps);
    fclose(statm);
    return use;
}

static void row(void)
{
    int forks = getenv("LIBSECRETSSL_TEST_LONG") ? 10000 : 400, wrong = 0;
    struct use before, after;

    make_blocks(4);
    check_kind(blocks[0], "blocks");
    for (int i = 0; i < 100; i++)
        wrong += status_of(checking_child()) != 0;
    before = use_now();
    for (int i = 0; i < forks; i++)
        wrong += status_of(checking_child()) != 0;
    after = use_now();
    check(wrong == 0, "%d of %d children saw other memory", wrong, forks);
    check(after.descriptors == before.descriptors, "%d descriptors, before %d",
          after.descriptors, before.descriptors);
    check(after.mappings == before.mappings, "%d mappings, before %d", after.mappings,
          before.mappings);
    check(after.secret == before.secret, "%zu KiB of secret memory, before %zu",
          after.secret >> 10, before.secret >> 10);
    check(after.resident <= before.resident + 64, "%ld pages are resident, before %ld",
          after.resident, before.resident);
}

static pthread_barrier_t together;

static void *thread_forks(void *unused)
{
    void *mine = filled_block(1000, (uintptr_t)&mine);
    intptr_t wrong = 0;

    (void)unused;
    pthread_barrier_wait(&together);
    wrong += status_of(checking_child()) != 0;
    wrong += !whole(mine, 1000, (uintptr_t)&mine);
    OPENSSL_free(mine);
    return (void *)wrong;
}

static void threads(void)
{
    pthread_t all[THREADS];
    pthread_attr_t small;
    intptr_t wrong = 0;
    void *one;

    make_blocks(4);
    check_kind(blocks[0], "blocks");
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 << 10);
    pthread_barrier_init(&together, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&all[i], &small, thread_forks, NULL) != 0)
            broken("pthread_create");
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(all[i], &one);
        wrong += (intptr_t)one;
    }
    check(wrong == 0, "%d of %d children of %d threads saw other memory", (int)wrong, THREADS,
          THREADS);
    check(all_whole(), "the parent's memory is whole");
}

/* Forks, says so on a pipe before and after, and waits to be killed. */
static void parent_of_orphan(int to)
{
    make_blocks(256);
    if (write(to, "r", 1) != 1)
        broken("write");
    pid_t child = checking_child();
    if (write(to, "f", 1) != 1 || child < 0)
        broken("fork");
    for (;;)
        pause();
}

/* Kills a parent a while after it began to fork. Returns whether fork had not returned yet. */
static bool orphan(useconds_t later, int *wrong, int *orphans)
{
    int ends[2], status;
    char said;

    if (pipe(ends) != 0)
        broken("pipe");
    pid_t parent = fork();
    if (parent == 0)
        parent_of_orphan(ends[1]);
    close(ends[1]);
    if (read(ends[0], &said, 1) != 1)
        broken("read");
    usleep(later);
    kill(parent, SIGKILL);
    *wrong += status_of(parent) != 1000 + SIGKILL;
    /* Its child is this process's now. */
    alarm(30);
    pid_t child = waitpid(-1, &status, 0);
    alarm(0);
    *orphans += child > 0;
    *wrong += child > 0 && status != 0;
    bool early = child > 0 && read(ends[0], &said, 1) == 0;
    close(ends[0]);
    return early;
}

static void orphans(void)
{
    int wrong = 0, all = 0, early = 0;

    /* This process makes no block, so that its own forks copy nothing. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (useconds_t i = 0; i < ORPHANS; i++)
        early += orphan(2000 + 3000 * i, &wrong, &all);
    check(wrong == 0 && all > 0, "%d of %d orphans saw other memory, or a signal", wrong, all);
    check(expected != MEMORY_SECRET || early > 0, "%d lost their parent before they had a copy",
          early);
}

static pid_t hoarder(void)
{
    pid_t child = fork();

    if (child == 0) {
        if (!all_whole())
            _exit(3);
        for (;;)
            pause();
    }
    return child;
}

/* Forks children that keep their copies until one of them is killed for lack of memory. */
static void hoard(void)
{
    pid_t children[HOARDED];
    int killed = 0, made = 0, status;

    make_blocks(256);
    check_kind(blocks[0], "blocks");
    while (made < HOARDED && killed == 0) {
        children[made] = hoarder();
        if (children[made] < 0)
            break;
        made++;
        for (int i = 0; i < made; i++) {
            if (waitpid(children[i], &status, WNOHANG) == children[i])
                killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        }
    }
    for (int i = 0; i < made; i++)
        kill(children[i], SIGKILL);
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    check(all_whole(), "%d of %d children were killed for lack of memory, the parent is whole",
          killed, made);
    check(status_of(checking_child()) == 0, "the next child is well");
    fflush(stdout);
    _exit(killed > 0 ? 0 : 4);
}

static void oom(void)
{
    pid_t parent = fork();

    if (parent == 0) {
        setpgid(0, 0);
        hoard();
    }
    int status = status_within(parent, 60);
    kill(-parent, SIGKILL);
    check(status == 0 || status == 1000 + SIGKILL,
          "somebody was killed for lack of memory, nobody else ended (status %d)", status);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"row", row}, {"threads", threads}, {"orphans", orphans}, {"oom", oom}, {NULL, NULL}};
    return run_case(cases, argc, argv);
}
