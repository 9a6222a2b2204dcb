/* SPDX-License-Identifier: Apache-2.0 */
/* Opens libraries by name and says what it got, or why not: the driver compares.
 *
 *   asks program|generated NAME...     on behalf of itself, or of code without an object */
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

typedef void *open_fn(const char *, int);
typedef void *through_fn(const char *, int, open_fn *);

/* Calls its third argument with the first two. */
static through_fn *generated(void)
{
#if defined(__x86_64__)
    static const unsigned char code[] = {0x48, 0x83, 0xec, 8, 0xff, 0xd2,
                                         0x48, 0x83, 0xc4, 8, 0xc3};
#elif defined(__riscv)
    static const unsigned code[] = {0xff010113, 0x00113423, 0x000600e7,
                                    0x00813083, 0x01010113, 0x00008067};
#else
    static const unsigned code[] = {0xa9bf7bfd, 0xd63f0040, 0xa8c17bfd, 0xd65f03c0};
#endif
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        return NULL;
    memcpy(at, code, sizeof(code));
    __builtin___clear_cache(at, at + sizeof(code));
    return mprotect(at, 4096, PROT_READ | PROT_EXEC) == 0 ? (through_fn *)at : NULL;
}

/* Not a tail call: it is this program that asks. */
static void *plainly(const char *name, int mode, open_fn *open_it)
{
    void *volatile handle = open_it(name, mode);

    return handle;
}

static int is_preload(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size, (void)arg;
    return info->dlpi_name && strstr(info->dlpi_name, "libsecretssl.so") != NULL;
}

int main(int argc, char **argv)
{
    through_fn *through = argc > 1 && strcmp(argv[1], "generated") == 0 ? generated() : plainly;

    if (argc < 3 || !through)
        return 2;
    fprintf(stderr, "%s the preload\n", dl_iterate_phdr(is_preload, NULL) ? "with" : "without");
    for (int i = 2; i < argc; i++) {
        struct link_map *map = through(argv[i], RTLD_NOW, dlopen);
        const char *error = dlerror();
        printf("%s: %s\n", argv[i], map ? map->l_name : error);
        /* In a set-id program what came along is hooked now. */
        printf("%s\n", dlsym(RTLD_DEFAULT, "no_such_symbol") ? "found" : dlerror());
    }
    return 0;
}
