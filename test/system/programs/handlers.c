/* SPDX-License-Identifier: Apache-2.0 */
/* Fork handlers that were registered before libsecretmem's, which then are not the innermost.
 *
 *   handlers LIBRARY none|prepare|parent|child|freed|errno
 *   handlers PLUGIN unloaded */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORKS = 100 };

static void *(*allocate)(size_t);
static void (*release)(void *);
static char *block, *made, *given;
static const char *what;

static int is(const char *word)
{
    return strcmp(what, word) == 0;
}

static void in_prepare(void)
{
    if (is("prepare") || is("freed")) {
        made = allocate(5000);
        strcpy(made, "made while forking");
    }
}

static void in_parent(void)
{
    if (is("parent") || is("errno"))
        close(-1); /* sets errno */
    if (is("errno"))
        errno = EAGAIN;
    if (is("parent"))
        made = allocate(100000);
    /* Before the child has its copy of what is freed here. */
    if (is("freed"))
        release(given);
}

static void in_child(void)
{
    if (is("child"))
        made = allocate(100000);
}

static int good_in_child(void)
{
    if (strcmp(block, "secret") != 0)
        return 2;
    if (is("freed") && strcmp(given, "given back while forking") != 0)
        return 3;
    if ((is("prepare") || is("freed")) && strcmp(made, "made while forking") != 0)
        return 4;
    return allocate(100) ? 0 : 5;
}

static int fork_once(void)
{
    int status = -1;
    pid_t child;

    given = allocate(3000);
    strcpy(given, "given back while forking");
    child = fork();
    if (child == 0) {
        usleep(1000);
        _exit(good_in_child());
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void *use(void *arg)
{
    release(allocate(10));
    return arg;
}

int main(int argc, char **argv)
{
    void *library;
    pthread_t id;
    int bad = 0, last = 0;

    if (argc != 3)
        return 2;
    what = argv[2];
    pthread_atfork(in_prepare, in_parent, in_child);
    library = dlopen(argv[1], RTLD_NOW);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    *(void **)&allocate = dlsym(library, "secretmem_malloc");
    *(void **)&release = dlsym(library, "secretmem_free");
    block = allocate(100);
    strcpy(block, "secret");
    if (is("unloaded")) {
        pthread_create(&id, NULL, use, NULL);
        pthread_join(id, NULL);
        dlclose(library);
        bad = fork() == 0 ? (_exit(0), 0) : 0;
        wait(&last);
        printf("closed, and forked: %d\n", last);
        return last ? 1 : 0;
    }
    for (int i = 0; i < FORKS; i++) {
        int status = fork_once();
        bad += status != 0;
        last = status ? status : last;
    }
    printf("%d of %d children are not well (%d)\n", bad, FORKS, last);
    return bad ? 1 : 0;
}
