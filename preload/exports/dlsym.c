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
#include "libcrypto/discover.h"
#include "libcrypto/linkage.h"
#include "libcrypto/registry.h"
#include "loader/real.h"
#include "loader/tail_call.h"
#include <dlfcn.h>
#include <link.h>
#include <string.h>

/* Called by the assembly below. */
SM_FROM_ASM void *preload_own_function(void *handle, const char *name, const void *caller);
SM_FROM_ASM dlsym_function *preload_next_dlsym(void);
SM_FROM_ASM struct interposed preload_dlvsym(void *handle, const char *name,
                                             const char *version, const void *caller);

static const struct {
    const char *name;
    void *function;
} ours[] = {
    {"CRYPTO_aligned_alloc", (void *)CRYPTO_aligned_alloc},
    {"CRYPTO_aligned_alloc_array", (void *)CRYPTO_aligned_alloc_array},
    {"CRYPTO_calloc", (void *)CRYPTO_calloc},
    {"CRYPTO_clear_free", (void *)CRYPTO_clear_free},
    {"CRYPTO_clear_realloc", (void *)CRYPTO_clear_realloc},
    {"CRYPTO_clear_realloc_array", (void *)CRYPTO_clear_realloc_array},
    {"CRYPTO_free", (void *)CRYPTO_free},
    {"CRYPTO_get_mem_functions", (void *)CRYPTO_get_mem_functions},
    {"CRYPTO_malloc", (void *)CRYPTO_malloc},
    {"CRYPTO_malloc_array", (void *)CRYPTO_malloc_array},
    {"CRYPTO_memdup", (void *)CRYPTO_memdup},
    {"CRYPTO_realloc", (void *)CRYPTO_realloc},
    {"CRYPTO_realloc_array", (void *)CRYPTO_realloc_array},
    {"CRYPTO_secure_actual_size", (void *)CRYPTO_secure_actual_size},
    {"CRYPTO_secure_allocated", (void *)CRYPTO_secure_allocated},
    {"CRYPTO_secure_calloc", (void *)CRYPTO_secure_calloc},
    {"CRYPTO_secure_clear_free", (void *)CRYPTO_secure_clear_free},
    {"CRYPTO_secure_free", (void *)CRYPTO_secure_free},
    {"CRYPTO_secure_malloc", (void *)CRYPTO_secure_malloc},
    {"CRYPTO_secure_malloc_array", (void *)CRYPTO_secure_malloc_array},
    {"CRYPTO_secure_malloc_done", (void *)CRYPTO_secure_malloc_done},
    {"CRYPTO_secure_malloc_init", (void *)CRYPTO_secure_malloc_init},
    {"CRYPTO_secure_malloc_initialized", (void *)CRYPTO_secure_malloc_initialized},
    {"CRYPTO_secure_used", (void *)CRYPTO_secure_used},
    {"CRYPTO_secure_zalloc", (void *)CRYPTO_secure_zalloc},
    {"CRYPTO_set_mem_functions", (void *)CRYPTO_set_mem_functions},
    {"CRYPTO_strdup", (void *)CRYPTO_strdup},
    {"CRYPTO_strndup", (void *)CRYPTO_strndup},
    {"CRYPTO_zalloc", (void *)CRYPTO_zalloc},
};

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
    if (real == real_function(REAL_DLVSYM))
        return (void *)dlvsym;
    if (real == real_function(REAL_DLOPEN))
        return (void *)dlopen;
    return real == real_function(REAL_DLMOPEN) ? (void *)dlmopen : NULL;
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

    if (!real)
        return elsewhere ? NULL : NOTHING;
    return libcrypto_is_unhooked(real) ? real : NULL;
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
    return behind_ours(name, libcrypto_known() && !elf_range_has(program.code, caller));
}

/*
 * Returns the function for the caller; NOTHING: the caller gets NULL; NULL: the C library
 * answers.
 */
void *preload_own_function(void *handle, const char *name, const void *caller)
{
    void *function = own(name), *real;

    dlopen_hook_pending(handle);
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

dlsym_function *preload_next_dlsym(void)
{
    return real_dlsym();
}

/* The C library answers for a version that does not exist. */
struct interposed preload_dlvsym(void *handle, const char *name, const char *version,
                                 const void *caller)
{
    dlvsym_function *next = (dlvsym_function *)real_function(REAL_DLVSYM);
    void *function = preload_own_function(handle, name, caller);

    if (function == NOTHING)
        return (struct interposed){NULL, NULL};
    if (is_linkers(name) && handle != RTLD_NEXT)
        function = linkers(next(handle, name, version));
    if (function && next(handle, name, version))
        return (struct interposed){function, NULL};
    return (struct interposed){NULL, (void *)next};
}

INTERPOSE_OR_TAIL_CALL(dlvsym);

/* clang-format off */
#if defined(__x86_64__)
__asm__(".pushsection .text\n"
        ".globl dlsym\n"
        ".type dlsym, @function\n"
        "dlsym:\n"
        "    .cfi_startproc\n"
        "    endbr64\n"
        "    pushq %rdi\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    pushq %rsi\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    subq $8, %rsp\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    movq 24(%rsp), %rdx\n"
        "    call preload_own_function\n"
        "    testq %rax, %rax\n"
        "    jnz 1f\n"
        "    call preload_next_dlsym\n"
        "    .cfi_remember_state\n"
        "    addq $8, %rsp\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    popq %rsi\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    popq %rdi\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    jmp *%rax\n"
        "1:  .cfi_restore_state\n"
        "    xorl %edx, %edx\n"
        "    cmpq $-1, %rax\n"
        "    cmoveq %rdx, %rax\n"
        "    addq $24, %rsp\n"
        "    .cfi_adjust_cfa_offset -24\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size dlsym, .-dlsym\n"
        ".popsection\n");
#else
__asm__(".pushsection .text\n"
        ".globl dlsym\n"
        ".type dlsym, %function\n"
        "dlsym:\n"
        "    .cfi_startproc\n"
        "    stp x29, x30, [sp, #-32]!\n"
        "    .cfi_def_cfa_offset 32\n"
        "    .cfi_offset 29, -32\n"
        "    .cfi_offset 30, -24\n"
        "    mov x29, sp\n"
        "    stp x0, x1, [sp, #16]\n"
        "    mov x2, x30\n"
        "    bl preload_own_function\n"
        "    cbnz x0, 1f\n"
        "    bl preload_next_dlsym\n"
        "    mov x16, x0\n"
        "    ldp x0, x1, [sp, #16]\n"
        "    .cfi_remember_state\n"
        "    ldp x29, x30, [sp], #32\n"
        "    .cfi_restore 29\n"
        "    .cfi_restore 30\n"
        "    .cfi_def_cfa_offset 0\n"
        "    br x16\n"
        "1:  .cfi_restore_state\n"
        "    cmn x0, #1\n"
        "    csel x0, xzr, x0, eq\n"
        "    ldp x29, x30, [sp], #32\n"
        "    .cfi_restore 29\n"
        "    .cfi_restore 30\n"
        "    .cfi_def_cfa_offset 0\n"
        "    ret\n"
        "    .cfi_endproc\n"
        ".size dlsym, .-dlsym\n"
        ".popsection\n");
#endif
/* clang-format on */
