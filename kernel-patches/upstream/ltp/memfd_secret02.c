// SPDX-License-Identifier: GPL-2.0-or-later
/*\
 * Memory of memfd_secret() cannot be reclaimed, so RLIMIT_MEMLOCK has to know
 * of all of it for as long as it is there.
 *
 * [Algorithm]
 *
 * As a user who may lock a number of pages: fill a file of that size, keep its
 * inode by a descriptor that only names it (O_PATH), and unmap and close all
 * else. The pages are still there, so another file must not get any. Once the
 * name is closed the whole limit must be there again.
 *
 * A kernel that ends the account of a file with its last ordinary descriptor
 * lets this be repeated, until all memory is pinned.
 */

#define _GNU_SOURCE

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "tst_test.h"
#include "lapi/syscalls.h"

#define LIMIT 128 /* pages */
#define FILES 8

static size_t page;
static uid_t user;

/*
 * A system call that writes to a page fails where a touch would be SIGBUS; a
 * kernel that charges what is mapped refuses the mapping.
 */
static int fill(int fd)
{
	int had = 0;
	char *area = mmap(NULL, LIMIT * page, PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, 0);

	if (area == MAP_FAILED) {
		if (errno != EAGAIN)
			tst_brk(TBROK | TERRNO, "mmap()");
		return 0;
	}
	while (had < LIMIT && !tst_syscall(__NR_rt_sigprocmask, SIG_BLOCK, NULL,
					   area + had * page, 8))
		had++;
	SAFE_MUNMAP(area, LIMIT * page);
	return had;
}

/* Fills a file; its only descriptor afterwards has no use but to name it. */
static int fill_and_name(int *had)
{
	char path[64];
	int name, fd = tst_syscall(__NR_memfd_secret, O_CLOEXEC);

	if (fd < 0)
		tst_brk(TBROK | TERRNO, "memfd_secret()");
	SAFE_FTRUNCATE(fd, LIMIT * page);
	*had = fill(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	name = SAFE_OPEN(path, O_PATH | O_CLOEXEC);
	SAFE_CLOSE(fd);
	return name;
}

static void in_child(void)
{
	struct rlimit limit = {LIMIT * page, LIMIT * page};
	int names[FILES], had, pinned = 0, i;

	SAFE_SETRLIMIT(RLIMIT_MEMLOCK, &limit);
	SAFE_SETRESUID(user, user, user);
	/* /proc/self belongs to root otherwise. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
		tst_brk(TBROK | TERRNO, "PR_SET_DUMPABLE");

	for (i = 0; i < FILES; i++) {
		names[i] = fill_and_name(&had);
		if (!i && had != LIMIT)
			tst_brk(TBROK, "%d of %d pages can be had", had, LIMIT);
		pinned += had;
	}
	if (pinned == LIMIT)
		tst_res(TPASS, "pages of named files stay charged");
	else
		tst_res(TFAIL, "%d pages are pinned under a limit of %d",
			pinned, LIMIT);

	for (i = 0; i < FILES; i++)
		SAFE_CLOSE(names[i]);
	names[0] = fill_and_name(&had);
	SAFE_CLOSE(names[0]);
	TST_EXP_EQ_LI(had, LIMIT);
}

static void run(void)
{
	if (!SAFE_FORK()) {
		in_child();
		exit(0);
	}
	tst_reap_children();
}

static void setup(void)
{
	page = SAFE_SYSCONF(_SC_PAGESIZE);
	user = SAFE_GETPWNAM("nobody")->pw_uid;
}

static struct tst_test test = {
	.test_all = run,
	.setup = setup,
	.needs_root = 1,
	.forks_child = 1,
	.needs_kconfigs = (const char *[]) {
		"CONFIG_SECRETMEM=y",
		NULL
	},
};
