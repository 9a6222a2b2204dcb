/* SPDX-License-Identifier: Apache-2.0 */
/* What `secretssl doctor` found: checks, each with a verdict and what to do about it. */
#ifndef SECRETSSL_DOCTOR_CHECK_H
#define SECRETSSL_DOCTOR_CHECK_H

#include <stdbool.h>
#include <stddef.h>

enum verdict {
    VERDICT_OK,
    VERDICT_NOTE,    /* nothing is wrong; something is to be known */
    VERDICT_WARNING, /* it works, but less well than it could, or not for everybody */
    VERDICT_FAILED,  /* secrets are not protected because of this */
    VERDICT_UNKNOWN, /* cannot be known without privileges, or without /proc and /sys */
    VERDICTS
};

extern const char *const verdict_names[VERDICTS];

enum { REMEDIES_MOST = 3, CHECKS_MOST = 24 };

/* A line, and the place that it is to be put in. */
struct remedy {
    char where[160], line[240];
};

struct check {
    const char *name;
    enum verdict verdict;
    char found[480];
    struct remedy remedies[REMEDIES_MOST];
    size_t remedy_count;
};

/* What one check learns and others need. */
struct facts {
    bool can_try;        /* a child process can be had */
    bool secret_calls;   /* memfd_secret(2) gives a descriptor */
    int secret_error;    /* or fails with that */
    int secret_signal;   /* or ends the process */
    bool filtered;       /* below a seccomp filter */
    bool file_limit;     /* RLIMIT_FSIZE forbids to size it */
    bool secret_works;   /* pages can be had and written to */
    bool counts_by_page; /* RLIMIT_MEMLOCK: each page touched, for the user */
    bool counts_length;  /* RLIMIT_MEMLOCK: the length mapped, for the process */
    bool contained;      /* in a container, as far as can be seen */
};

struct diagnosis {
    struct check list[CHECKS_MOST];
    size_t count;
    struct facts facts;
};

/* A new check, VERDICT_OK until something else is said. */
struct check *check_new(struct diagnosis *diagnosis, const char *name);

__attribute__((format(printf, 3, 4))) void check_say(struct check *check, enum verdict verdict,
                                                     const char *format, ...);

/* One more remedy; beyond REMEDIES_MOST they are dropped. */
__attribute__((format(printf, 3, 4))) void check_remedy(struct check *check, const char *where,
                                                        const char *format, ...);

/* The remedies of the earlier checks that are in the way of this one, which is why it failed.
 */
void check_remedy_earlier(struct check *check, const struct diagnosis *diagnosis);

/* What lets a filter pass memfd_secret(2), without making one where there is none. */
void check_remedy_filter(struct check *check);

/* What lifts the limit on the size of files. */
void check_remedy_file_size(struct check *check);

/* For a service of systemd's */
#define UNIT_FILE "/etc/systemd/system/NAME.service.d/secretssl.conf, below [Service]"
#define KERNEL_LINE                                                                            \
    "/etc/default/grub, added to GRUB_CMDLINE_LINUX (then update-grub, and boot again)"

/*
 * Gives this process the limit on locked memory that the preload object would give itself:
 * before all checks.
 */
void raise_memlock_limit(void);

/* The checks, in the order in which they are made. Without the first none can be. */
void check_children(struct diagnosis *diagnosis);
void check_system_call(struct diagnosis *diagnosis);
void check_secret_memory(struct diagnosis *diagnosis);
void check_unreadable(struct diagnosis *diagnosis);
void check_fork(struct diagnosis *diagnosis);
void check_memlock(struct diagnosis *diagnosis);
void check_limits(struct diagnosis *diagnosis);
void check_cgroup(struct diagnosis *diagnosis);
void check_container(struct diagnosis *diagnosis);
void check_preload(struct diagnosis *diagnosis);
void check_patches(struct diagnosis *diagnosis);
void check_hibernation(struct diagnosis *diagnosis);
void check_core_dumps(struct diagnosis *diagnosis);

/*
 * What check_preload() starts under the preload object: says on stdout what became of its own
 * libcrypto's memory. Returns the exit status.
 */
int preloaded_main(void);

#endif
