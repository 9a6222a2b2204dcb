/* SPDX-License-Identifier: Apache-2.0 */
/* Tests whether private keys can be sealed (SECRETSSL_SEAL): protection keys on secret memory.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "doctor/check.h"
#include "process/try_in_child.h"

struct attempt {
    bool taken; /* there is a protection key */
    bool works; /* and secret memory can have it */
    int error;
};

#if defined(__x86_64__)
/* Runs in a child, because a filter may kill for these calls. */
static void try_key(void *result)
{
    struct attempt *attempt = result;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int key = pkey_alloc(0, PKEY_DISABLE_ACCESS);
    const char *step;
    void *memory;

    attempt->error = errno;
    if (key < 0)
        return;
    attempt->taken = true;
    memory = secret_map(page, &step);
    attempt->works =
        memory != NULL && pkey_mprotect(memory, page, PROT_READ | PROT_WRITE, key) == 0;
    attempt->error = errno;
}
#else
static void try_key(void *result)
{
    ((struct attempt *)result)->error = ENOSYS;
}
#endif

/* Without protection keys only SECRETSSL_SEAL is missing, which is off by default. */
void check_sealing(struct diagnosis *diagnosis)
{
    struct check *check = check_new(diagnosis, "sealing");
    struct attempt attempt = {.taken = false};
    int signal = trial(try_key, &attempt, sizeof(attempt));

    if (!diagnosis->facts.secret_works)
        check_say(check, VERDICT_NOTE, "there is no secret memory to test with");
    else if (signal != 0)
        check_say(
            check, VERDICT_NOTE,
            "a filter ends the process that uses protection keys: leave SECRETSSL_SEAL off");
    else if (attempt.works)
        check_say(
            check, VERDICT_OK,
            "protection keys work on secret memory: SECRETSSL_SEAL can seal private keys");
    else if (attempt.taken)
        check_say(check, VERDICT_NOTE,
                  "secret memory cannot have a protection key (%s): leave SECRETSSL_SEAL off",
                  strerrorname_np(attempt.error));
    else
        check_say(check, VERDICT_NOTE,
                  "this processor, kernel or filter has no protection keys (%s): leave "
                  "SECRETSSL_SEAL off",
                  strerrorname_np(attempt.error));
}
