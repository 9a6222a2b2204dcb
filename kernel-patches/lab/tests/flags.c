// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flags: refused without the patches, accepted with them, for whom and in which
 * combination; and what UNCACHED does to the page-table entries of the process, which the
 * kernel's own dump of them shows, at both levels, after mprotect, mremap and fork.
 */
#include "secret.h"

#define PAGE_TABLES "/sys/kernel/debug/page_tables/current_kernel"

static int error_of(void *flags)
{
    int fd = memfd_secret(*(unsigned *)flags);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int error_for_nobody(void *flags)
{
    if (setresuid(NOBODY, NOBODY, NOBODY) != 0)
        return 255;
    return error_of(flags);
}

static int error(unsigned flags)
{
    return error_of(&flags);
}

static void test_acceptance(void)
{
    static const char parameter[] = "/sys/module/secretmem/parameters/uncached_all";
    unsigned none = 0, uncached = UNCACHED;
    int wanted = patched ? 0 : EINVAL;

    tap_ok(error(0) == 0, "no flag is accepted");
    tap_ok(error(UNCACHED) == wanted, "UNCACHED is %s", patched ? "accepted" : "refused");
    tap_ok(error(UNCACHED | O_CLOEXEC) == wanted, "so is UNCACHED with O_CLOEXEC");
    tap_ok(error(1) == EINVAL, "1, which early versions had, is refused");
    tap_ok(error(COPY) == wanted && error(COPY | UNCACHED) == wanted, "COPY is %s",
           patched ? "accepted" : "refused");
    tap_ok(error(1 | UNCACHED) == EINVAL && error(8) == EINVAL, "other flags are refused");
    if (!patched)
        return;
    tap_ok(status_of_child(error_for_nobody, &none) == 0, "nobody may do without a flag");
    tap_ok(status_of_child(error_for_nobody, &uncached) == EPERM,
           "nobody may not use UNCACHED");
    write_text(parameter, "1");
    tap_ok(status_of_child(error_for_nobody, &uncached) == 0, "unless uncached_all is set");
    write_text(parameter, "0");
}

/*
 * What the dump says of the entry that maps an address: whether it is at the PMD level, and has
 * PCD set. False if nothing maps it. A line reads 0xSTART-0xEND SIZE FLAGS… LEVEL.
 */
static bool find_entry(const char *address, bool *pmd, bool *pcd)
{
    FILE *file = fopen(PAGE_TABLES, "re");
    unsigned long start, end;
    char line[256];
    bool found = false;

    if (!file)
        tap_bail_out("current_kernel: %s", strerror(errno));
    while (!found && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "0x%lx-0x%lx", &start, &end) != 2 || (unsigned long)address < start ||
            (unsigned long)address >= end || !strstr(line, "USR"))
            continue;
        found = true;
        *pmd = strstr(line, " pmd") != NULL;
        *pcd = strstr(line, " PCD ") != NULL;
    }
    fclose(file);
    return found;
}

static void check_entry(const char *address, bool pmd, bool pcd, const char *what)
{
    bool is_pmd = false, is_pcd = false, found = find_entry(address, &is_pmd, &is_pcd);

    tap_ok(found && is_pmd == pmd && is_pcd == pcd, "%s: %s entry, PCD %s%s%s", what,
           pmd ? "a PMD" : "a PTE", pcd ? "set" : "clear", found ? "" : " (none)",
           found && (is_pmd != pmd || is_pcd != pcd) ? " (it is otherwise)" : "");
}

static void check_child(const char *area, bool pmd, bool pcd, const char *what)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        bool is_pmd = false, is_pcd = false;
        (void)*(volatile const char *)area;
        _exit(!(find_entry(area, &is_pmd, &is_pcd) && is_pmd == pmd && is_pcd == pcd));
    }
    tap_ok(child > 0 && waitpid(child, &status, 0) == child && status == 0,
           "%s: the same in a child", what);
}

static void test_entries(size_t size, unsigned flags, const char *what)
{
    bool pmd = patched && size >= BLOCK, pcd = flags == UNCACHED;
    char *area = map_secret(size, flags), *moved;
    char *room = map_secret(size, 0);

    memset(area, 1, size);
    check_entry(area, pmd, pcd, what);
    check_child(area, pmd, pcd, what);

    mprotect(area, size, PROT_READ);
    mprotect(area, size, PROT_READ | PROT_WRITE);
    area[0] = 2;
    check_entry(area, pmd, pcd, "after mprotect");
    moved = mremap(area, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, room);
    if (moved == MAP_FAILED)
        tap_bail_out("mremap: %s", strerror(errno));
    moved[0] = 3;
    check_entry(moved, pmd, pcd, "after mremap");
    if (pmd) {
        mprotect(moved, PAGE, PROT_READ);
        moved[PAGE] = 4;
        check_entry(moved + PAGE, false, pcd, "in part after mprotect of a page");
        check_child(moved + PAGE, false, pcd, "in part");
    }
    munmap(moved, size);
}

/* All mappings of one file: also one made later, in another way, or in a child. */
static void test_second_mapping(size_t size, unsigned flags, const char *what)
{
    bool pmd = patched && size >= BLOCK, pcd = flags == UNCACHED;
    int fd = secret_file(size, flags);
    char *first = map_aligned(fd, size), *second = map_aligned(fd, size), name[96];

    ask_for_blocks(first, size);

    memset(first, 1, size);
    second[0] = 2;
    snprintf(name, sizeof(name), "%s, its second mapping", what);
    check_entry(second, pmd, pcd, name);
    check_entry(first, pmd, pcd, "and still the first");
    check_child(second, pmd, pcd, name);

    mprotect(second, size, PROT_READ);
    mprotect(second, size, PROT_READ | PROT_WRITE);
    second[0] = 3;
    check_entry(second, pmd, pcd, "the second after mprotect");
    char *room = map_secret(size, 0);
    char *moved = mremap(second, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, room);
    if (moved == MAP_FAILED)
        tap_bail_out("mremap: %s", strerror(errno));
    moved[0] = 4;
    check_entry(moved, pmd, pcd, "the second after mremap");
    check_child(moved, pmd, pcd, "the second after mremap");

    /* A duplicate, as mremap makes one of a shared mapping. */
    char *twin = mremap(first, 0, PAGE, MREMAP_MAYMOVE);
    if (twin == MAP_FAILED)
        tap_bail_out("mremap of size 0: %s", strerror(errno));
    twin[0] = 5;
    check_entry(twin, false, pcd, "a page of it that mremap mapped again");
    char *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)(size - PAGE));
    tap_ok(page != MAP_FAILED && page[0] == (size == PAGE ? 5 : 1) && twin[0] == moved[0],
           "all of them show the same memory");
    check_entry(page, false, pcd, "its last page, mapped alone and to be read");
    munmap(page, PAGE);
    munmap(twin, PAGE);
    munmap(moved, size);
    munmap(first, size);
    close(fd);
}

int main(int argc, char **argv)
{
    secret_start(argc, argv);
    set_memlock(RLIM_INFINITY);
    test_acceptance();
    if (!patched && access(PAGE_TABLES, F_OK) != 0) {
        printf("# no dump of the page tables: the base as the lab builds it has one\n");
        return tap_finish();
    }
    test_entries(PAGE, 0, "a page");
    test_entries(2 * BLOCK, 0, "a block");
    test_second_mapping(PAGE, 0, "a page");
    test_second_mapping(2 * BLOCK, 0, "a block");
    if (patched) {
        test_entries(PAGE, UNCACHED, "an uncached page");
        test_entries(2 * BLOCK, UNCACHED, "an uncached block");
        test_second_mapping(PAGE, UNCACHED, "an uncached page");
        test_second_mapping(2 * BLOCK, UNCACHED, "an uncached block");
    }
    return tap_finish();
}
