/* SPDX-License-Identifier: Apache-2.0 */
#include "stacktrace/symbolize.h"
#include "log/log.h"
#include "os/seccomp_calls.h"
#include "stacktrace/load_library.h"
#include <dlfcn.h>
#include <string.h>

#define NAME_MAX_ 128 /* longer names, as in C++, are cut */

struct name {
    const char *text; /* NULL: none */
    size_t offset;
    char buffer[NAME_MAX_];
};

#if defined(__has_include)
#if __has_include(<libunwind.h>)
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#define LIBRARY    "libunwind.so.8"
#define TEXT_(x)   #x
#define TEXT(x)    TEXT_(x)
#define LOOK_UP(x) sm_library_function(lib.library, TEXT(UNW_OBJ(x)), &lib.x)

static struct {
    bool tried, good;
    void *library;
    int (*init_local)(unw_cursor_t *, unw_context_t *);
    int (*set_reg)(unw_cursor_t *, unw_regnum_t, unw_word_t);
    int (*get_proc_info)(unw_cursor_t *, unw_proc_info_t *);
    int (*get_proc_name)(unw_cursor_t *, char *, size_t, unw_word_t *);
} lib;

static bool symbol_load(void)
{
    if (!lib.tried) {
        lib.tried = true;
        lib.library = sm_library_open(LIBRARY);
        lib.good = lib.library && LOOK_UP(init_local) && LOOK_UP(set_reg) &&
                   LOOK_UP(get_proc_info) && LOOK_UP(get_proc_name);
    }
    return lib.good;
}

/*
 * Looks up the function that contains at. If its symbol was stripped, the nearest symbol below
 * the address may belong to another function. So the symbol must be at the function's start.
 */
static void look_in_file(const char *at, struct name *name)
{
    unw_context_t context;
    unw_cursor_t cursor;
    unw_proc_info_t info;
    unw_word_t offset = 0;
    int error;

    if (sm_seccomp_fatal || sm_seccomp_installed || !symbol_load())
        return;
    memset(&context, 0, sizeof(context));
    if (lib.init_local(&cursor, &context) != 0 ||
        lib.set_reg(&cursor, UNW_REG_IP, (uintptr_t)at) != 0 ||
        lib.get_proc_info(&cursor, &info) != 0)
        return;
    error = lib.get_proc_name(&cursor, name->buffer, sizeof(name->buffer), &offset);
    if ((error != 0 && error != -UNW_ENOMEM) || info.start_ip + offset != (uintptr_t)at)
        return;
    name->buffer[sizeof(name->buffer) - 1] = '\0';
    name->text = name->buffer;
    name->offset = offset;
}
#define HAVE_LIBUNWIND 1
#endif
#endif

#ifndef HAVE_LIBUNWIND
static void look_in_file(const char *at, struct name *name)
{
    (void)at, (void)name;
}
#endif

void sm_symbol_report(int number, const void *address, bool thorough)
{
    const char *at = address;
    struct name name = {.text = NULL};
    Dl_info info = {0};

    /* The call instruction lies before the return address. */
    if (dladdr(at - 1, &info) == 0 || !info.dli_fname) {
        sm_log("#%d %p", number, address);
        return;
    }
    if (info.dli_sname) {
        name.text = info.dli_sname;
        name.offset = (size_t)(at - (const char *)info.dli_saddr);
    } else if (thorough) {
        look_in_file(at, &name);
    }
    if (name.text)
        sm_log("#%d %p %s+0x%zx (%s+0x%zx)", number, address, name.text, name.offset,
               info.dli_fname, (size_t)(at - (const char *)info.dli_fbase));
    else
        sm_log("#%d %p (%s+0x%zx)", number, address, info.dli_fname,
               (size_t)(at - (const char *)info.dli_fbase));
}
