/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's memory, as a core file shows it, and TLS that is named as out of reach. */
#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys.h"
#include "spawn.h"

static struct test_key *key;

static void set_up(void)
{
    enter_temporary_directory();
    key = make_key("rsa2048");
    write_key(key, "key.pem");
}

TestSuite(kernel, .init = set_up, .fini = leave_temporary_directory, .timeout = 60);
TestSuite(unreached, .init = set_up, .fini = leave_temporary_directory, .timeout = 60);

enum { SIZE = 1 << 20, FIRST = 4096, TEXT = 64 * 1024 };

static const uint64_t base = 0xffff888000000000;

static void put(int fd, const void *bytes, size_t size, off_t at)
{
    cr_assert_eq(pwrite(fd, bytes, size, at), (ssize_t)size);
}

/*
 * As /proc/kcore has it: the direct map, the text (which lies in it), and what has no physical
 * address. Copies of p: unaligned, over a page boundary, and at the very end.
 */
static void write_core(const char *name, const struct part *part)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    Elf64_Ehdr head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
                       .e_type = ET_CORE,
                       .e_phoff = sizeof(head),
                       .e_phentsize = sizeof(Elf64_Phdr),
                       .e_phnum = 4};
    Elf64_Phdr segments[4] = {
        {.p_type = PT_NOTE, .p_offset = 0, .p_filesz = 100},
        {.p_type = PT_LOAD, .p_vaddr = base, .p_offset = FIRST, .p_filesz = SIZE},
        {.p_type = PT_LOAD,
         .p_vaddr = 0xffffffff81000000,
         .p_paddr = 8192,
         .p_offset = FIRST + 8192,
         .p_filesz = TEXT},
        {.p_type = PT_LOAD,
         .p_vaddr = 0xffffc90000000000,
         .p_paddr = UINT64_MAX,
         .p_offset = FIRST,
         .p_filesz = SIZE},
    };

    cr_assert(fd >= 0 && ftruncate(fd, FIRST + SIZE) == 0);
    put(fd, &head, sizeof(head), 0);
    put(fd, segments, sizeof(segments), sizeof(head));
    if (part != NULL) {
        put(fd, part->bytes, part->size, FIRST + 10001);
        put(fd, part->reversed, part->size, FIRST + 5 * 4096 - 60);
        put(fd, part->bytes, part->size, FIRST + SIZE - (off_t)part->size);
    }
    close(fd);
}

static json_t *scan(int status)
{
    struct outcome outcome = TOOL_RUN("scan", "--json", "--key", "key.pem", "--kernel=core");
    json_t *root = json_loads(outcome.out, 0, NULL);

    cr_expect_eq(outcome.status, status, "%d: %s", outcome.status, outcome.err);
    cr_assert(root != NULL, "%s", outcome.err);
    return json_array_get(json_object_get(root, "processes"), 0);
}

Test(kernel, finds)
{
    static const uint64_t wanted[] = {10001, 5 * 4096 - 60};
    json_t *kernel, *copies;

    write_core("core", &key->parts[1]);
    kernel = scan(1);
    copies = json_object_get(kernel, "copies");
    cr_expect_str_eq(json_string_value(json_object_get(kernel, "name")), "kernel");
    cr_expect_eq(json_array_size(copies), 3, "%zu copies", json_array_size(copies));
    for (size_t i = 0; i < 2; i++) {
        json_t *copy = json_array_get(copies, i);
        cr_expect_eq(strtoull(json_string_value(json_object_get(copy, "address")), NULL, 16),
                     base + wanted[i]);
        cr_expect_str_eq(json_string_value(json_object_get(copy, "component")), "p");
    }
    /* The aliases are not searched a second time, and that is said. */
    cr_expect_eq(json_integer_value(json_object_get(kernel, "searched_bytes")), SIZE);
    cr_expect_eq(json_array_size(json_object_get(kernel, "not_searched")), 2);
}

Test(kernel, nothing)
{
    write_core("core", NULL);
    cr_expect_eq(json_array_size(json_object_get(scan(0), "copies")), 0);
}

Test(kernel, text)
{
    struct outcome outcome;

    write_core("core", &key->parts[1]);
    outcome = TOOL_RUN("scan", "--key", "key.pem", "--kernel=core");
    cr_expect_eq(outcome.status, 1);
    cr_expect(strstr(outcome.out, "kernel: 0xffff888000002711 [kernel memory]+0x2711: RSA p") !=
                  NULL,
              "%s", outcome.out);
    cr_expect(strstr(outcome.out, "kernel: 3 copies, 1048576 bytes searched\n") != NULL, "%s",
              outcome.out);
}

/* A dump with segments in one another, of which an address is in the outer one alone */
Test(kernel, overlaps)
{
    Elf64_Phdr segments[4] = {
        {.p_type = PT_LOAD, .p_vaddr = base, .p_offset = FIRST, .p_filesz = SIZE},
        {.p_type = PT_LOAD, .p_vaddr = base + 1000, .p_offset = FIRST, .p_filesz = 16},
        {.p_type = PT_LOAD, .p_vaddr = base + 2000, .p_offset = FIRST, .p_filesz = 16},
        {.p_type = PT_LOAD, .p_vaddr = base + 3000, .p_offset = FIRST, .p_filesz = UINT64_MAX},
    };
    struct outcome outcome;
    int fd;

    write_core("core", &key->parts[1]);
    fd = open("core", O_RDWR);
    for (int i = 0; i < 4; i++)
        segments[i].p_paddr = (uint64_t)i << 32;
    put(fd, segments, sizeof(segments), sizeof(Elf64_Ehdr));
    close(fd);
    outcome = TOOL_RUN("scan", "--key", "key.pem", "--kernel=core");
    cr_expect_eq(outcome.status, 1, "%d: %s", outcome.status, outcome.err);
    cr_expect(strstr(outcome.out, "kernel: 0xffff888000002711 [kernel memory]+0x2711: RSA p") !=
                  NULL,
              "%s", outcome.out);
}

static void check_failure(const char *argument, const char *text)
{
    struct outcome outcome = TOOL_RUN("scan", "--key", "key.pem", argument);

    cr_expect_eq(outcome.status, 2);
    cr_expect(strstr(outcome.err, text) != NULL, "%s", outcome.err);
    cr_expect(strchr(outcome.err, '\n') == outcome.err + strlen(outcome.err) - 1, "%s",
              outcome.err);
}

Test(kernel, cannot_look)
{
    check_failure("--kernel=absent", "absent: this kernel does not show its memory");
    check_failure("--kernel=key.pem", "no ELF core file");
    check_failure("--kernel=/proc/self/exe", "no ELF core file");
    write_core("core", NULL);
    cr_assert(truncate("core", FIRST + SIZE / 2) == 0);
    check_failure("--kernel=core", "cut short");
}

/* A dump whose segment lies behind the last place of any file, and is larger than any memory */
Test(kernel, nowhere)
{
    Elf64_Phdr segment = {.p_type = PT_LOAD,
                          .p_vaddr = 4096,
                          .p_offset = UINT64_MAX / 8 * 7,
                          .p_filesz = UINT64_MAX / 16};
    int fd;

    write_core("core", NULL);
    fd = open("core", O_RDWR);
    put(fd, &segment, sizeof(segment), sizeof(Elf64_Ehdr) + sizeof(segment));
    close(fd);
    check_failure("--kernel=core", "cut short");
}

/* A process with that library: what the scan says of it. */
static char *said_with(const char *library)
{
    static const char program[] = "import ctypes, sys, time; ctypes.CDLL(sys.argv[1]); "
                                  "print('.', flush=True); time.sleep(60)";
    int pipes[2];
    char byte, pid[16];
    pid_t child;
    struct outcome outcome;

    cr_assert(pipe(pipes) == 0);
    child =
        start_program((const char *const[]){"/usr/bin/python3", "-c", program, library, NULL},
                      -1, pipes[1], -1);
    close(pipes[1]);
    cr_assert(read(pipes[0], &byte, 1) == 1);
    snprintf(pid, sizeof(pid), "%d", (int)child);
    outcome = TOOL_RUN("scan", "--key", "key.pem", pid);
    cr_expect_eq(outcome.status, 0, "%s", outcome.err);
    kill(child, SIGKILL);
    wait_program(child);
    close(pipes[0]);
    return outcome.out;
}

Test(unreached, named)
{
    static const char *const cases[][2] = {
        {"hidden", "a copy of OpenSSL that exports no symbols, in "},
        {"boringssl", "BoringSSL, in "},
        {"awslc", "AWS-LC, in "},
        {"code", "BoringSSL or AWS-LC, in "},
        {"go", "a Go program (crypto/tls, if it uses TLS), in "},
        {"rustls", "Rust's rustls, in "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char library[4200];
        snprintf(library, sizeof(library), "%s%s.so", UNREACHED, cases[i][0]);
        char *said = said_with(library),
             *line = strstr(said, ": not reached by libsecretssl: ");
        cr_expect(line != NULL && strstr(line, cases[i][1]) != NULL && strstr(line, library),
                  "%s: %s", cases[i][0], said);
    }
    cr_expect(strstr(said_with("libgnutls.so.30"), "GnuTLS, in ") != NULL);
}

/* OpenSSL that is reached is not named, be it Debian's or another. */
Test(unreached, not_named)
{
    cr_expect(strstr(said_with("libcrypto.so.3"), "not reached") == NULL);
    cr_expect(strstr(said_with(UNREACHED "exported.so"), "not reached") == NULL);
    cr_expect(strstr(said_with(UNREACHED "weak.so"), "not reached") == NULL);
    cr_expect(strstr(said_with(UNREACHED "linked.so"), "not reached") == NULL);
    cr_expect(strstr(said_with("libm.so.6"), "not reached") == NULL);
}
