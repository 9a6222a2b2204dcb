/* SPDX-License-Identifier: Apache-2.0 */
/* The slots of this program, which calls a function of the C library by name. */
#include "loader/elf_slots.h"
#include "os/pages.h"
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
static int this_program(struct dl_phdr_info *info, size_t size, void *object)
{
    (void)size;
    *(struct elf_object *)object = elf_object(info);
    return 1;
}

static struct elf_object own_object(void)
{
    struct elf_object object;

    sm_pages_init();
    dl_iterate_phdr(this_program, &object);
    return object;
}

struct seen {
    unsigned slots, found;
    uintptr_t instead; /* 0: nothing is changed */
};

static uintptr_t look(const struct elf_slot *slot, void *arg)
{
    struct seen *seen = arg;

    seen->slots++;
    if (strcmp(slot->name, "getppid") != 0)
        return slot->value;
    seen->found++;
    cr_assert(slot->unbound || slot->value == (uintptr_t)dlsym(RTLD_DEFAULT, "getppid"));
    cr_assert_eq(*slot->place, slot->value);
    return seen->instead ? seen->instead : slot->value;
}

static pid_t instead_of_getppid(void)
{
    return 4711;
}

Test(elf_slots, changes)
{
    struct elf_object object = own_object();
    struct seen seen = {0, 0, 0};

    cr_assert(elf_slots_visit(&object, look, &seen));
    cr_assert(elf_is_relocated(&object));
    cr_assert_gt(seen.slots, 10);
    cr_assert_gt(seen.found, 0, "getppid() has a slot");
    cr_assert_neq(getppid(), 4711, "nothing has changed");
    seen.instead = (uintptr_t)instead_of_getppid;
    cr_assert(elf_slots_visit(&object, look, &seen));
    cr_assert_eq(getppid(), 4711, "calls go elsewhere");
}

/* What is read-only after relocation is so again. */
Test(elf_slots, stays_read_only)
{
    struct elf_object object = own_object();
    struct seen seen = {.instead = (uintptr_t)instead_of_getppid};
    bool has_relro = false;

    cr_assert(elf_slots_visit(&object, look, &seen));
    for (unsigned i = 0; i < object.segment_count; i++) {
        const ElfW(Phdr) *segment = &object.segments[i];
        char *start = (char *)((object.base + segment->p_vaddr) & ~(sm_os_page - 1));
        char command[128];
        if (segment->p_type != PT_GNU_RELRO)
            continue;
        has_relro = true;
        snprintf(command, sizeof(command), "grep -q '^%lx-[0-9a-f]* r--p' /proc/%d/maps",
                 (unsigned long)(uintptr_t)start, (int)getpid());
        cr_assert_eq(system(command), 0, "%s", command);
    }
    cr_assert(has_relro);
}
#else
/* Other machines have no protection keys, for which alone slots change. */
Test(elf_slots, none)
{
}
#endif
