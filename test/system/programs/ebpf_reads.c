/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what another process passes to a function, as root may: an eBPF program on a uprobe.
 *
 *   ebpf_reads TEXT    a child has the text in secret memory; prints what the program read
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <sys/user.h>
#endif

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

/* Where the kernel keeps a function's first argument. */
#if defined(__x86_64__)
#define ARGUMENT offsetof(struct user_regs_struct, rdi)
#else
#define ARGUMENT 0
#endif
#define SIZE 64

void given(const char *text);

__attribute__((noinline)) void given(const char *text)
{
    __asm__ volatile("" ::"r"(text) : "memory");
}

static void must(int result, const char *what)
{
    if (result >= 0)
        return;
    perror(what);
    exit(1);
}

static int bpf(enum bpf_cmd command, union bpf_attr *attributes)
{
    return (int)syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

static int new_map(void)
{
    union bpf_attr attributes = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = SIZE, .max_entries = 1};

    return bpf(BPF_MAP_CREATE, &attributes);
}

/* Copies the first bytes of the argument into the map. */
static int load(int map)
{
    struct bpf_insn code[] = {
        {BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0},
        {BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0},
        {BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map},
        {0},
        {BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0},
        {BPF_ALU64 | BPF_ADD, 2, 0, 0, -4}, /* of a constant: BPF_K is 0 */
        {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4, 0},
        {BPF_ALU64 | BPF_MOV | BPF_X, 1, 0, 0, 0},
        {BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, SIZE},
        {BPF_LDX | BPF_MEM | BPF_DW, 3, 6, ARGUMENT, 0},
        {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_user},
        {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0},
        {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
    };
    static char log[65536];
    union bpf_attr attributes = {.prog_type = BPF_PROG_TYPE_KPROBE,
                                 .insns = (uintptr_t)code,
                                 .insn_cnt = sizeof(code) / sizeof(code[0]),
                                 .license = (uintptr_t)"GPL",
                                 .log_buf = (uintptr_t)log,
                                 .log_size = sizeof(log),
                                 .log_level = 1};
    int program = bpf(BPF_PROG_LOAD, &attributes);

    if (program < 0)
        fputs(log, stderr);
    return program;
}

/* The place of the function in this program's file. */
static uint64_t place(void)
{
    unsigned long start, end, offset, at = (uintptr_t)given;
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];

    while (maps && fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 && start <= at &&
            at < end)
            return at - start + offset;
    }
    exit(1);
}

static int attach(pid_t pid, int program)
{
    struct perf_event_attr attributes = {.size = sizeof(attributes), .disabled = 1};
    FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
    int probe;

    if (!file || fscanf(file, "%u", &attributes.type) != 1)
        exit(1);
    fclose(file);
    attributes.uprobe_path = (uintptr_t)"/proc/self/exe";
    attributes.probe_offset = place();
    probe = (int)syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    must(probe, "perf_event_open");
    must(ioctl(probe, PERF_EVENT_IOC_SET_BPF, program), "PERF_EVENT_IOC_SET_BPF");
    return ioctl(probe, PERF_EVENT_IOC_ENABLE, 0);
}

static int hold(const char *text, int go)
{
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    char *page = MAP_FAILED, word;

    if (fd >= 0 && ftruncate(fd, 4096) == 0)
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED || read(go, &word, 1) != 1)
        return 1;
    snprintf(page, SIZE, "%s", text);
    given(page);
    return 0;
}

int main(int argc, char **argv)
{
    union bpf_attr lookup = {0};
    char read_text[SIZE] = "";
    uint32_t key = 0;
    int go[2], map = new_map(), program;
    pid_t child;

    must(map, "BPF_MAP_CREATE");
    program = load(map);
    must(program, "BPF_PROG_LOAD");
    must(pipe(go), "pipe");
    child = fork();
    must(child, "fork");
    if (child == 0)
        _exit(hold(argc > 1 ? argv[1] : "", go[0]));
    must(attach(child, program), "PERF_EVENT_IOC_ENABLE");
    must((int)write(go[1], "g", 1), "write");
    waitpid(child, NULL, 0);
    lookup.map_fd = (uint32_t)map;
    lookup.key = (uintptr_t)&key;
    lookup.value = (uintptr_t)read_text;
    must(bpf(BPF_MAP_LOOKUP_ELEM, &lookup), "BPF_MAP_LOOKUP_ELEM");
    printf("%.*s\n", SIZE, read_text);
    return 0;
}
