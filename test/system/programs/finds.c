/* SPDX-License-Identifier: Apache-2.0 */
/* What dlopen() and dlsym() find, and how they say what they do not: the driver compares.
 *
 *   finds KIND CASE */
#include "common.h"
#include "library.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <unistd.h>

static void visible(void *handle, const char *name, bool wanted)
{
    check((dlsym(RTLD_DEFAULT, "fake_take") != NULL) == wanted, "%s", name);
    dlclose(handle);
}

/* What ours stands in front of is to be found where it would be without us. */
static void visible_malloc(const char *name)
{
    void *program = dlopen(NULL, RTLD_NOW);

    check(true, "%s, CRYPTO_malloc: %s by default, %s in the program", name,
          dlsym(RTLD_DEFAULT, "CRYPTO_malloc") ? "there" : "absent",
          dlsym(program, "CRYPTO_malloc") ? "there" : "absent");
}

static void attempt(const char *what, open_fn *open_it, const char *name, int mode)
{
    void *handle = open_it(name, mode);
    const char *error = dlerror();

    check(true, "%s: %s", what, handle ? "found" : error);
    check(dlerror() == NULL, "%s: the error is given once", what);
}

static void unknown(const void *found)
{
    const char *error = dlerror();

    check(found == NULL && error, "%s", error ? error : "no error");
}

/* Prints what must be the same with and without the preload; the driver compares. */
static void semantics(void)
{
    open_fn *by_runpath =
        (open_fn *)symbol(opened(beside("libsearch_runpath.so"), RTLD_NOW), "search_and_open");
    open_fn *by_rpath =
        (open_fn *)symbol(opened(beside("libsearch_rpath.so"), RTLD_NOW), "search_and_open");
    open_fn *by_none =
        (open_fn *)symbol(opened(beside("libsearch_none.so"), RTLD_NOW), "search_and_open");
    void *libcrypto;

    check(dlopen(NULL, RTLD_NOW) != NULL, "the program itself");
    visible_malloc("none");
    attempt("not loaded yet", by_runpath, "libfake_3.so", RTLD_NOW | RTLD_NOLOAD);
    attempt("without a path", by_none, "libdeep_1.so", RTLD_NOW);
    attempt("the program's own", dlopen, "libdeep_1.so", RTLD_NOW);
    attempt("RUNPATH", by_runpath, "libdeep_1.so", RTLD_NOW);
    attempt("loaded already", by_none, "libdeep_1.so", RTLD_NOW | RTLD_NOLOAD);
    attempt("RPATH", by_rpath, "libdeep_2.so", RTLD_NOW);
    attempt("$ORIGIN", by_none, "$ORIGIN/deep/libdeep_3.so", RTLD_NOW);
    attempt("${ORIGIN}, absent", by_none, "${ORIGIN}/libnone.so", RTLD_NOW);
    attempt("absent", by_runpath, "libnone.so", RTLD_NOW);
    attempt("absent path", dlopen, "/nowhere/libnone.so", RTLD_NOW);
    attempt("no library", dlopen, "/etc/passwd", RTLD_NOW);
    attempt("no library in RUNPATH", by_runpath, "libgarbage.so", RTLD_NOW);
    attempt("another architecture", by_runpath, "libalien.so", RTLD_NOW);
    attempt("undefined symbols", by_runpath, "libundefined.so", RTLD_NOW);
    attempt("wrong mode", dlopen, LIBCRYPTO, 0);
    attempt("by its soname", by_none, LIBCRYPTO, RTLD_NOW);
    visible_malloc("one that is local");
    opened(LIBCRYPTO, RTLD_NOW | RTLD_GLOBAL);
    visible_malloc("one that is global");
    visible(opened(beside("libfake_3.so"), RTLD_NOW | RTLD_LOCAL), "RTLD_LOCAL hides", false);
    visible(opened(beside("libfake_3.so"), RTLD_NOW | RTLD_GLOBAL), "RTLD_GLOBAL shows", true);
    libcrypto = opened(LIBCRYPTO, RTLD_NOW);
    unknown(dlsym(RTLD_DEFAULT, "no_such_symbol"));
    unknown(dlsym(opened(beside("libfake_3.so"), RTLD_NOW), "CRYPTO_secure_used"));
    unknown(dlvsym(RTLD_DEFAULT, "fopen", "NONE"));
    unknown(dlvsym(libcrypto, "CRYPTO_malloc", "NONE"));
}

static open_fn *searcher(const char *library)
{
    return (open_fn *)symbol(opened(library, RTLD_NOW), "search_and_open");
}

static struct link_map *which(const char *what, open_fn *open_it, const char *name)
{
    struct link_map *map = open_it(name, RTLD_NOW);

    check(true, "%s: %s", what, map ? map->l_name : dlerror());
    return map;
}

/* The same for names that libraries got when they were opened. */
static void names(void)
{
    open_fn *by_none = searcher(beside("libsearch_none.so"));
    open_fn *by_deep = searcher(beside("libsearch_deep.so"));
    open_fn *by_runpath = searcher(beside("libsearch_runpath.so"));
    struct link_map *first, *second, *third;

    which("nobody has opened it", by_none, "libnamed.so");
    first = which("found", by_runpath, "libnamed.so");
    second = which("whoever looks elsewhere gets it", by_deep, "libnamed.so");
    third = which("who looks nowhere too", by_none, "libnamed.so");
    if (first && second && third)
        check(dlclose(first) + dlclose(second) + dlclose(third) == 0, "closed");
    which("gone", by_none, "libnamed.so");
    which("found elsewhere", by_deep, "libnamed.so");
    opened(beside("libneeds_nameless.so"), RTLD_NOW);
    which("what another is linked with", by_runpath, "libnameless.so");
    which("$ORIGIN", by_runpath, "$ORIGIN/deep/libdeep_3.so");
}

/* One that was opened by a relative path, and the current directory is another one by now. */
static void relative(void)
{
    open_fn *by_relative;
    char here[PATH_MAX];

    if (!getcwd(here, sizeof(here)) || chdir(beside("")) != 0)
        broken("the directory of the program");
    by_relative = searcher("./libsearch_none.so");
    if (chdir(here) != 0)
        broken(here);
    which("$ORIGIN", by_relative, "$ORIGIN/deep/libdeep_3.so");
    which("${ORIGIN}, absent", by_relative, "${ORIGIN}/deep/libdeep_9.so");
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"semantics", semantics},
        {"names", names},
        {"relative", relative},
        {NULL, NULL},
    };

    return run_case(cases, argc, argv);
}
