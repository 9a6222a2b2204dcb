/* SPDX-License-Identifier: Apache-2.0 */
#include "seal/call_site.h"
#include "base/format.h"
#include "libcrypto/registry.h"
#include "os/readable.h"
#include <dlfcn.h>
#include <string.h>

#define WORDS_MOST 1024 /* of the stack */

const void *call_site_name(const void *code, char name[CALL_SITE_NAME])
{
    Dl_info info = {0};
    const char *file;

    if (dladdr(code, &info) == 0 || !info.dli_fname) {
        sm_format(name, CALL_SITE_NAME, "%p", code);
        return code;
    }
    if (info.dli_sname) {
        sm_format(name, CALL_SITE_NAME, "%s+0x%lx", info.dli_sname,
                  (unsigned long)((uintptr_t)code - (uintptr_t)info.dli_saddr));
        return info.dli_saddr;
    }
    file = strrchr(info.dli_fname, '/');
    sm_format(name, CALL_SITE_NAME, "%s+0x%lx", file ? file + 1 : info.dli_fname,
              (unsigned long)((uintptr_t)code - (uintptr_t)info.dli_fbase));
    return code;
}

#if defined(__x86_64__)
#define JUMP_BYTES 13 /* endbr64, bnd jmp *offset(%rip) */

static int32_t offset_at(const unsigned char *at)
{
    int32_t offset;

    memcpy(&offset, at, sizeof(offset));
    return offset;
}

/* What the slot of a call or jump through a slot holds, the offset of which is at `at`. */
static const void *through_slot(const unsigned char *at)
{
    const void *const *slot = (const void *const *)(at + 4 + offset_at(at));

    return sm_pages_readable(slot, sizeof(*slot)) ? *slot : NULL;
}

/* The target of an entry of a procedure linkage table, or NULL. */
static const void *through_plt(const unsigned char *entry)
{
    if (!sm_pages_readable(entry, JUMP_BYTES))
        return NULL;
    for (unsigned i = 0; i + 6 <= JUMP_BYTES && i <= 5; i++) {
        if (entry[i] == 0xff && entry[i + 1] == 0x25)
            return through_slot(entry + i + 2);
    }
    return NULL;
}

/* The function that a call before a return address has called by name, or NULL. */
static const void *called_before(const unsigned char *next)
{
    if (libcrypto_contains(next) || !sm_pages_readable(next - 6, 6))
        return NULL;
    if (next[-6] == 0xff && next[-5] == 0x15)
        return through_slot(next - 4);
    return next[-5] == 0xe8 ? through_plt(next + offset_at(next - 4)) : NULL;
}

const char *call_site_entry(const uintptr_t *stack)
{
    Dl_info info = {0};

    for (unsigned i = 0; i < WORDS_MOST; i++) {
        const void *function;
        if (((uintptr_t)&stack[i] & 4095) < sizeof(*stack) && i != 0 &&
            !sm_pages_readable(&stack[i], sizeof(*stack)))
            return NULL;
        function = stack[i] > 65536 ? called_before((const unsigned char *)stack[i]) : NULL;
        if (function && libcrypto_contains(function) && dladdr(function, &info) != 0)
            return info.dli_sname;
    }
    return NULL;
}
#else
const char *call_site_entry(const uintptr_t *stack)
{
    (void)stack;
    return NULL;
}
#endif
