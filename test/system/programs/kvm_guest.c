/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual machine of KVM with one page of memory, of each kind: whether it runs there.
 *
 *   kvm_guest
 *
 * Prints for ordinary, shared and secret memory whether KVM takes it, and what running it says.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

enum { PAGE = 4096, HLT = 0xf4 };

static void *page_of(const char *kind)
{
    int fd = -1;
    void *p;

    if (strcmp(kind, "ordinary") != 0) {
        fd = (int)(strcmp(kind, "secret") == 0 ? syscall(SYS_memfd_secret, 0)
                                               : syscall(SYS_memfd_create, "m", 0));
        if (fd < 0 || ftruncate(fd, PAGE) != 0)
            return NULL;
    }
    p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
             fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Real mode from address 0: one instruction, after which KVM_RUN returns KVM_EXIT_HLT. */
static const char *run_at_zero(int vcpu, struct kvm_run *run)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs = {.rip = 0, .rflags = 2};

    if (ioctl(vcpu, KVM_GET_SREGS, &sregs) != 0)
        return "no registers";
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    if (ioctl(vcpu, KVM_SET_SREGS, &sregs) != 0 || ioctl(vcpu, KVM_SET_REGS, &regs) != 0)
        return "no registers";
    if (ioctl(vcpu, KVM_RUN, 0) != 0)
        return strerrorname_np(errno);
    return run->exit_reason == KVM_EXIT_HLT ? "runs" : "another exit";
}

static const char *try_kind(int kvm, const char *kind, const char **taken)
{
    int vm = ioctl(kvm, KVM_CREATE_VM, 0), vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    size_t size = (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    unsigned char *page = page_of(kind);
    struct kvm_userspace_memory_region memory = {.memory_size = PAGE,
                                                 .userspace_addr = (unsigned long)page};
    const char *answer;

    if (vm < 0 || vcpu < 0 || run == MAP_FAILED || !page)
        return "no machine";
    page[0] = HLT;
    *taken =
        ioctl(vm, KVM_SET_USER_MEMORY_REGION, &memory) == 0 ? "taken" : strerrorname_np(errno);
    answer = run_at_zero(vcpu, run);
    close(vcpu);
    close(vm);
    return answer;
}

int main(void)
{
    static const char *const kinds[] = {"ordinary", "shared", "secret"};
    int kvm = open("/dev/kvm", O_RDWR);

    if (kvm < 0) {
        perror("/dev/kvm");
        return 2;
    }
    for (int i = 0; i < 3; i++) {
        const char *taken = "not tried", *answer = try_kind(kvm, kinds[i], &taken);
        printf("%s %s %s\n", kinds[i], taken, answer);
    }
    return 0;
}
