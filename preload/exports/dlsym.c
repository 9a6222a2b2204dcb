/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interposes dlsym() and dlvsym(). A caller that asks a handle of libcrypto for CRYPTO_malloc
 * or CRYPTO_set_mem_functions gets the preload's function, because libcrypto's own would undo
 * the hooks. Every other call goes to the C library with the caller's return address, by which
 * the C library resolves RTLD_NEXT and RTLD_DEFAULT.
 */
#include "base/common.h"
#include "exports/crypto_api.h"
#include "exports/dlopen.h"
#include "libcrypto/registry.h"
#include "loader/real.h"
#include "loader/tail_call.h"
#include "os/protection_key.h"
#include "seal/seal.h"
#include <dlfcn.h>
#include <link.h>
#include <string.h>

/* Called by the assembly below. */
SM_FROM_ASM struct interposed preload_dlsym(void *handle, const char *name, long none,
                                            const void *caller);
SM_FROM_ASM struct interposed preload_dlvsym(void *handle, const char *name,
                                             const char *version, const void *caller);

#define OURS(type, name, arguments) {#name, (void *)(name)},
static const struct {
    const char *name;
    void *function;
} ours[] = {CRYPTO_FUNCTIONS(OURS)};

static void *own(const char *name)
{
    if (!name || strncmp(name, "CRYPTO_", 7) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcmp(ours[i].name, name) == 0)
            return ours[i].function;
    }
    return NULL;
}

/*
 * Returns the preload's dlsym, dlvsym, dlopen or dlmopen in place of the C library's, for
 * callers that ask by a handle or by a version, which the preload's have not. RTLD_NEXT means
 * the definition after the preload's: another preloaded library may be asking.
 */
static void *linkers(const void *real)
{
    if (!real)
        return NULL;
    if (real == (void *)real_dlsym())
        return (void *)dlsym;
    if (real == real_function(REAL_dlvsym))
        return (void *)dlvsym;
    if (real == real_function(REAL_dlopen))
        return (void *)dlopen;
    return real == real_function(REAL_dlmopen) ? (void *)dlmopen : NULL;
}

static bool is_linkers(const char *name)
{
    return name && strncmp(name, "dl", 2) == 0 &&
           (strcmp(name + 2, "sym") == 0 || strcmp(name + 2, "vsym") == 0 ||
            strcmp(name + 2, "open") == 0 || strcmp(name + 2, "mopen") == 0);
}

#define NOTHING ((void *)UINTPTR_MAX) /* the caller gets NULL */

struct program {
    struct elf_object object;
    struct range code;
};

/* The program is the first object; no more are visited. */
static int dlsym_visit(struct dl_phdr_info *info, size_t size, void *program)
{
    (void)size;
    *(struct program *)program = (struct program){
        elf_object(info), elf_code_of(info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum)};
    return 1;
}

/*
 * After the preload in the global scope may come the function of a libcrypto that is not
 * served; the caller gets that function. A caller that looks for an OpenSSL must not find the
 * preload where there is no OpenSSL; dlerror() tells why.
 */
static void *behind_ours(const char *name, bool elsewhere)
{
    void *real = real_dlsym()(RTLD_NEXT, name);
    unsigned of = registry_of_code(real);

    if (!real)
        return elsewhere ? NULL : NOTHING;
    return of != LIBCRYPTO_NONE && known[of].unserved ? real : NULL;
}

/*
 * The program precedes the preload in the global scope. A library may also see a libcrypto
 * outside that scope.
 */
static void *by_default(const char *name, void *function, const void *caller)
{
    struct program program = {0};
    void *real;

    dl_iterate_phdr(dlsym_visit, &program);
    real = elf_symbol_of(&program.object, name);
    if (real)
        return libcrypto_defines(real, name) ? function : NULL;
    return behind_ours(name,
                       registry_count(&known_count) && !elf_range_has(program.code, caller));
}

/*
 * Returns the function for the caller; NOTHING: the caller gets NULL; NULL: the C library
 * answers.
 */
static void *own_function(void *handle, const char *name, const void *caller)
{
    void *function = own(name), *real;

    dlopen_hook_pending(handle);
    if (sm_pku_is_on() && name && !function && !is_linkers(name) && handle != RTLD_NEXT)
        return seal_instead(name, real_dlsym()(handle, name));
    if (is_linkers(name) && handle != RTLD_DEFAULT && handle != RTLD_NEXT)
        return linkers(real_dlsym()(handle, name));
    if (!function)
        return NULL;
    if (handle == RTLD_DEFAULT)
        return by_default(name, function, caller);
    if (handle == RTLD_NEXT)
        return libcrypto_hooked() ? function : NULL;
    real = real_dlsym()(handle, name);
    if (real == function) /* handle is the program's */
        return behind_ours(name, false);
    return real && libcrypto_defines(real, name) ? function : NULL;
}

static struct interposed dlsym_answer(void *function, void *next)
{
    return (struct interposed){function == NOTHING ? NULL : function, function ? NULL : next};
}

/* As dlsym(3). */
struct interposed preload_dlsym(void *handle, const char *name, long none, const void *caller)
{
    (void)none;
    return dlsym_answer(own_function(handle, name, caller), (void *)real_dlsym());
}

/* As dlvsym(3). The C library answers for a version that does not exist. */
struct interposed preload_dlvsym(void *handle, const char *name, const char *version,
                                 const void *caller)
{
    dlvsym_function *next = REAL(dlvsym);
    void *function = own_function(handle, name, caller);

    if (is_linkers(name) && handle != RTLD_NEXT)
        function = linkers(next(handle, name, version));
    if (function && function != NOTHING && !next(handle, name, version))
        function = NULL;
    return dlsym_answer(function, (void *)next);
}

INTERPOSE_OR_TAIL_CALL(dlsym);
INTERPOSE_OR_TAIL_CALL(dlvsym);
