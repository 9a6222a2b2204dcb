/* SPDX-License-Identifier: Apache-2.0 */
#include "arena/sealed.h"
#include "base/settings.h"
#include "log/lapse.h"
#include "log/log.h"

int sm_sealed_protect(unsigned part, void *address, size_t length)
{
    int error = sm_is_sealed(part) ? sm_pku_protect(address, length) : 0;

    if (error == 0 || sm_settings.seal == SM_SEALING_REQUIRE)
        return error;
    sm_lapse(
        SM_LAPSE_UNSEALED,
        "SECRETSSL_SEAL: some memory for private keys cannot be sealed (pkey_mprotect: %s): "
        "all code of this process can read it; allow pkey_mprotect in the filter, or raise "
        "the sysctl vm.max_map_count",
        sm_errno_name(error));
    return 0;
}

void sm_sealed_child(void)
{
    const struct sm_partition *part = &sm_arena.part[SM_PART_BYTES];
    uint32_t page = part->first, end;
    int error = 0;

    if (!sm_pku_is_on() || !sm_arena.span)
        return;
    for (; page < part->mapped && !error; page = end) {
        bool hole = sm_arena.pages[page].kind == SM_KIND_NONE;
        for (end = page + 1;
             end < part->mapped && (sm_arena.pages[end].kind == SM_KIND_NONE) == hole; end++)
            ;
        if (!hole)
            error = sm_sealed_protect(SM_PART_BYTES, sm_page_address(page),
                                      (size_t)(end - page) << SM_PAGE_SHIFT);
    }
    if (error)
        sm_exit_refused("SECRETSSL_SEAL=require: a child's copy of the private keys cannot be "
                        "sealed (pkey_mprotect): this child ends");
}
