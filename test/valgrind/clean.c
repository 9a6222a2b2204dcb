/* SPDX-License-Identifier: Apache-2.0 */
/* A program without a fault: Valgrind has nothing to say about it. */
#include <secretmem.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int sum(const unsigned char *p, size_t n)
{
    int result = 0;

    while (n--)
        result += p[n];
    return result;
}

/* What calloc() gives may be read at once. */
static int callocs(void)
{
    int result = 0;

    for (size_t n = 1; n < 50000; n = n * 3 + 1) {
        unsigned char *p = secretmem_calloc(n, 1);
        if (!p || sum(p, n) != 0)
            return 1;
        memset(p, 1, n);
        result += sum(p, n) != (int)n;
        secretmem_free(p);
    }
    return result;
}

static int reallocs(void)
{
    unsigned char *p = NULL;
    size_t had = 0;
    int result = 0;

    for (size_t n = 1; n < 100000; n = n * 2 + 3) {
        p = secretmem_realloc(p, n);
        if (!p)
            return 1;
        memset(p + had, 1, n - had);
        had = n;
        result += sum(p, n) != (int)n;
    }
    for (; had > 1; had /= 3) {
        p = secretmem_realloc(p, had);
        result += sum(p, had) != (int)had;
    }
    secretmem_free(p);
    return result;
}

static int aligned(void)
{
    int result = 0;

    for (size_t align = 1; align <= 65536; align *= 2) {
        unsigned char *p = secretmem_aligned_alloc(align, 100);
        if (!p || (size_t)p % align)
            return 1;
        memset(p, 1, 100);
        result += sum(p, secretmem_usable_size(p) < 100 ? 0 : 100) != 100;
        secretmem_free(p);
    }
    return result;
}

static int forks(void)
{
    unsigned char *p = secretmem_malloc(3000);
    int status;
    pid_t pid;

    if (!p)
        return 1;
    memset(p, 1, 3000);
    pid = fork();
    if (pid == 0) {
        int good = sum(p, 3000) == 3000;
        secretmem_free(p);
        p = secretmem_calloc(1, 500);
        good = good && p && sum(p, 500) == 0;
        secretmem_free(p);
        _exit(!good);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        return 1;
    status = sum(p, 3000) != 3000;
    secretmem_free(p);
    return status;
}

int main(void)
{
    struct secretmem_stats stats;

    if (callocs() || reallocs() || aligned() || forks())
        return 1;
    secretmem_get_stats(&stats, sizeof(stats));
    /* The control: it was our memory that was used, whatever its kind under Valgrind. */
    printf("%lu bytes locked, %lu plain, %lu secret\n", (unsigned long)stats.locked_bytes,
           (unsigned long)stats.plain_bytes, (unsigned long)stats.secret_bytes);
    if (stats.live_bytes || stats.locked_bytes + stats.plain_bytes + stats.secret_bytes == 0 ||
        stats.spilled)
        return 1;
    return 0;
}
