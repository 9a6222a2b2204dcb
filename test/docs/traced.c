/* SPDX-License-Identifier: Apache-2.0 */
/* Passes a text that lies in secret memory to a function that somebody may trace. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

void traced(const char *text);

__attribute__((noinline)) void traced(const char *text)
{
    __asm__ volatile("" ::"r"(text) : "memory");
}

int main(int argc, char **argv)
{
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    char *text = MAP_FAILED;

    if (argc > 1 && fd >= 0 && ftruncate(fd, 4096) == 0)
        text = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (text == MAP_FAILED) {
        perror("memfd_secret");
        return 1;
    }
    snprintf(text, 4096, "%s", argv[1]);
    traced(text);
    return 0;
}
