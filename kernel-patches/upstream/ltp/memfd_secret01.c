// SPDX-License-Identifier: GPL-2.0-or-later
/*\
 * What memfd_secret() promises: memory that only page tables of user space
 * reach.
 *
 * [Algorithm]
 *
 * - bits that are no flags are refused with EINVAL, and so is a private
 *   mapping, which would need copies of the pages;
 * - the memory can be written and read by its owner;
 * - the kernel does not read it for anybody: neither read() of
 *   /proc/self/mem nor process_vm_readv() gets a byte, and vmsplice() gets no
 *   page. The same calls work on ordinary memory, or they would prove nothing;
 * - a file has its size set once.
 */

#define _GNU_SOURCE

#include <sys/uio.h>

#include "tst_test.h"
#include "lapi/syscalls.h"

#define MARK 0x5a

static char *secret, *ordinary;
static size_t page;
static int fd = -1, mem = -1, pipes[2] = {-1, -1};

static int open_secret(unsigned int flags)
{
	return tst_syscall(__NR_memfd_secret, flags);
}

static long read_mem(const char *from)
{
	char byte;

	return pread(mem, &byte, 1, (off_t)(uintptr_t)from);
}

static long read_vm(const char *from)
{
	char byte;
	struct iovec to = {.iov_base = &byte, .iov_len = 1};
	struct iovec at = {.iov_base = (void *)from, .iov_len = 1};

	return process_vm_readv(getpid(), &to, 1, &at, 1, 0);
}

static long splice_page(const char *from)
{
	struct iovec iov = {.iov_base = (void *)from, .iov_len = 1};
	char byte;
	long got = vmsplice(pipes[1], &iov, 1, SPLICE_F_NONBLOCK);

	if (got == 1)
		SAFE_READ(1, pipes[0], &byte, 1);
	return got;
}

static struct {
	const char *name;
	long (*read)(const char *from);
} ways[] = {
	{"/proc/self/mem", read_mem},
	{"process_vm_readv()", read_vm},
	{"vmsplice()", splice_page},
};

static void check_ways(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (ways[i].read(ordinary) != 1) {
			tst_res(TCONF | TERRNO, "%s does not work here",
				ways[i].name);
			continue;
		}
		if (ways[i].read(secret) == -1)
			tst_res(TPASS | TERRNO, "%s is refused secret memory",
				ways[i].name);
		else
			tst_res(TFAIL, "%s reads secret memory", ways[i].name);
	}
}

static void run(void)
{
	TST_EXP_FAIL2(open_secret(0x1), EINVAL, "memfd_secret(0x1)");
	TST_EXP_FAIL2(open_secret(0x4), EINVAL, "memfd_secret(0x4)");
	TST_EXP_FAIL2(open_secret(0x40000000), EINVAL,
		      "memfd_secret(0x40000000)");

	fd = open_secret(O_CLOEXEC);
	if (fd < 0)
		tst_brk(TBROK | TERRNO, "memfd_secret(O_CLOEXEC)");
	TST_EXP_EQ_LI(SAFE_FCNTL(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);

	SAFE_FTRUNCATE(fd, page);
	TST_EXP_FAIL(ftruncate(fd, 2 * page), EINVAL, "a second size");
	TST_EXP_FAIL_PTR_VOID(mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0),
			      EINVAL, "a private mapping");

	secret = SAFE_MMAP(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   0);
	memset(secret, MARK, page);
	memset(ordinary, MARK, page);
	TST_EXP_EQ_LI(secret[page - 1], MARK);
	check_ways();
	SAFE_MUNMAP(secret, page);
	SAFE_CLOSE(fd);
}

static void setup(void)
{
	page = SAFE_SYSCONF(_SC_PAGESIZE);
	ordinary = SAFE_MMAP(NULL, page, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mem = SAFE_OPEN("/proc/self/mem", O_RDONLY);
	SAFE_PIPE(pipes);
}

static void cleanup(void)
{
	if (ordinary)
		SAFE_MUNMAP(ordinary, page);
	if (fd != -1)
		SAFE_CLOSE(fd);
	if (mem != -1)
		SAFE_CLOSE(mem);
	if (pipes[0] != -1) {
		SAFE_CLOSE(pipes[0]);
		SAFE_CLOSE(pipes[1]);
	}
}

static struct tst_test test = {
	.test_all = run,
	.setup = setup,
	.cleanup = cleanup,
	.needs_kconfigs = (const char *[]) {
		"CONFIG_SECRETMEM=y",
		NULL
	},
};
