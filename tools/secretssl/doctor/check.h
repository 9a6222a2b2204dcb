/* SPDX-License-Identifier: Apache-2.0 */
/* The findings of `secretssl doctor`: checks, each with a verdict and remedies. */
#ifndef SECRETSSL_DOCTOR_CHECK_H
#define SECRETSSL_DOCTOR_CHECK_H

#include <stdbool.h>
#include <stddef.h>

enum verdict {
    VERDICT_OK,
    VERDICT_NOTE,    /* nothing is wrong; the user should know a fact */
    VERDICT_WARNING, /* protection works, but not fully, or not for every user */
    VERDICT_FAILED,  /* secrets are not protected because of this */
    VERDICT_UNKNOWN, /* not known: needs privileges, or /proc and /sys */
    VERDICTS
};

extern const char *const verdict_names[VERDICTS];

enum { REMEDIES_MOST = 3, CHECKS_MOST = 24 };

/* A line, and the place where the user puts the line. */
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

/* Facts that one check learns and other checks need. */
struct facts {
    bool can_try;        /* a child process can be created */
    bool secret_calls;   /* memfd_secret(2) gives a descriptor */
    int secret_error;    /* or fails with this error */
    int secret_signal;   /* or ends the process with this signal */
    bool filtered;       /* the process has a seccomp filter */
    bool file_limit;     /* RLIMIT_FSIZE prevents sizing the descriptor's file */
    bool secret_works;   /* secret pages can be mapped and written */
    bool counts_by_page; /* RLIMIT_MEMLOCK counts each page touched, per user */
    bool counts_length;  /* RLIMIT_MEMLOCK counts the length mapped, per process */
    bool contained;      /* in a container, as far as the process can see */
};

struct diagnosis {
    struct check list[CHECKS_MOST];
    size_t count;
    struct facts facts;
    bool against_root; /* these are the ways that root has */
};

/* Adds a check. The verdict is VERDICT_OK until check_say() sets another. */
struct check *check_new(struct diagnosis *diagnosis, const char *name);

__attribute__((format(printf, 3, 4))) void check_say(struct check *check, enum verdict verdict,
                                                     const char *format, ...);

/* Adds a remedy. Remedies beyond REMEDIES_MOST are dropped. */
__attribute__((format(printf, 3, 4))) void check_remedy(struct check *check, const char *where,
                                                        const char *format, ...);

/* Adds the remedies of the earlier checks that made this check fail. */
void check_remedy_earlier(struct check *check, const struct diagnosis *diagnosis);

/*
 * Adds the remedy that lets a seccomp filter pass memfd_secret(2) and adds no filter where none
 * exists.
 */
void check_remedy_filter(struct check *check);

/* Adds the remedy that lifts the limit on the size of files (RLIMIT_FSIZE). */
void check_remedy_file_size(struct check *check);

/* The place of a remedy for a systemd service */
#define UNIT_FILE "/etc/systemd/system/NAME.service.d/secretssl.conf, below [Service]"
#define KERNEL_LINE                                                                            \
    "/etc/default/grub, added to GRUB_CMDLINE_LINUX (then update-grub, and boot again)"

/*
 * Raises RLIMIT_MEMLOCK of this process as the preload object raises its own limit. Called
 * before all checks.
 */
void raise_memlock_limit(void);

/* The checks, in the order of the calls. Without the first check no other check can be made. */
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
void check_sealing(struct diagnosis *diagnosis);
void check_exponents(struct diagnosis *diagnosis);
void check_patches(struct diagnosis *diagnosis);
void check_hibernation(struct diagnosis *diagnosis);
void check_core_dumps(struct diagnosis *diagnosis);

/*
 * The ways that root has to secret memory: a check for each, VERDICT_WARNING if it is open.
 */
void check_root_ways(struct diagnosis *diagnosis);

/*
 * The program that check_preload() starts under the preload object. Prints on stdout whether
 * its libcrypto is hooked and whether libcrypto's memory is secret. Returns the exit status.
 */
int preloaded_main(void);

#endif
