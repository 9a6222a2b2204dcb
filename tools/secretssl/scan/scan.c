/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl scan: searches the memory of processes for copies of private keys. */
#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "cli/command.h"
#include "cli/message.h"
#include "cli/options.h"
#include "process/selection.h"
#include "scan/kernel.h"
#include "scan/key_parts.h"
#include "scan/process.h"
#include "scan/report.h"
#include "scan/searcher.h"
#include "secret/memory.h"
#include "secret/stack.h"
#include "secretmem.h"

enum { NO_COPY = 0, COPIES = 1, COULD_NOT_LOOK = 2 };

struct request {
    const char **key_files;
    size_t key_count;
    const char **log_files;
    size_t log_count;
    const char *passin;
    const char *kernel; /* the core file; NULL: no kernel search */
    bool json;
    struct selection selection;
    struct found_list found;
};

/*
 * The signal that ends the program, set by the handler, so that the program can clear its
 * memory first.
 */
static volatile int stop_signal;

static void on_signal(int number)
{
    stop_signal = number;
}

static void catch_signals(void)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
        struct sigaction before;

        if (sigaction(ending[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(ending[i], &action, NULL);
    }
    /* Ignores SIGPIPE, because a closed pipe is an error to report. */
    signal(SIGPIPE, SIG_IGN);
}

/*
 * Protects this process: no core dump, no tracer without privileges, libcrypto in secret
 * memory. Returns false on failure.
 */
static bool protect_self(void)
{
    struct rlimit none = {0, 0};
    struct rlimit locked;

    setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_MEMLOCK, &locked) == 0) {
        locked.rlim_cur = locked.rlim_max;
        setrlimit(RLIMIT_MEMLOCK, &locked);
    }
    if (prctl(PR_SET_DUMPABLE, 0) != 0) {
        say("scan: cannot make itself undumpable: %s", strerror(errno));
        return false;
    }
    if (!secret_memory_begin()) {
        say("scan: libcrypto was in use before its memory could be made secret; unset "
            "LD_PRELOAD and OPENSSL_CONF and try again");
        return false;
    }
    /* Loads no configuration, because the system's may load code that has memory of its own. */
    if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL)) {
        say("scan: libcrypto cannot be initialised; is it installed completely?");
        return false;
    }
    return true;
}

/*
 * Returns the first line of the file, in secret memory. On failure prints a message and returns
 * NULL.
 */
static char *read_passphrase(const char *file)
{
    size_t size;
    char *text = (char *)key_file_read(file, "a passphrase", &size);

    if (text != NULL)
        text[strcspn(text, "\r\n")] = '\0';
    return text;
}

static bool load_keys(const struct request *request, struct key_parts *keys)
{
    char *passphrase = NULL;
    bool good = true;

    if (request->passin != NULL) {
        passphrase = read_passphrase(request->passin);
        if (passphrase == NULL)
            return false;
    }
    for (size_t i = 0; good && i < request->key_count; i++)
        good = key_parts_load(keys, request->key_files[i], passphrase);
    for (size_t i = 0; good && i < request->log_count; i++)
        good = key_log_load(keys, request->log_files[i]);
    secretmem_free(passphrase);
    return good;
}

/* Reports and frees the result. Returns the exit status of the whole search so far. */
static int conclude(int status, bool searched, struct process_result *result,
                    struct scan_report *report)
{
    if (!searched) {
        if (result->pid == 0)
            say("scan: %s", result->failure);
        else
            say("scan: process %d: %s", (int)result->pid, result->failure);
        status = COULD_NOT_LOOK;
    } else if (result->copy_count > 0 && status == NO_COPY) {
        status = COPIES;
    }
    if (!scan_report_add(report, result))
        status = COULD_NOT_LOOK;
    process_result_free(result);
    return status;
}

/*
 * Returns false for a process that was searched already, and for one that a name stood for and
 * that has ended since: servers that fork end processes all the time.
 */
static bool is_to_be_searched(const struct found_list *found, size_t number)
{
    if (!found_is_first(found, number))
        return false;
    if (!found_has_names_only(found, number))
        return true;
    return kill(found->list[number].pid, 0) == 0 || errno != ESRCH;
}

static int search_all(const struct request *request, struct searcher *searcher,
                      struct scan_report *report)
{
    struct process_result result;
    int status = NO_COPY;
    bool good;

    for (size_t i = 0; i < request->found.count && !stop_signal; i++) {
        if (!is_to_be_searched(&request->found, i))
            continue;
        good = process_scan(request->found.list[i].pid, searcher, &stop_signal, &result);
        status = conclude(status, good, &result, report);
    }
    if (request->kernel != NULL && !stop_signal) {
        good = kernel_scan(request->kernel, searcher, &stop_signal, &result);
        status = conclude(status, good, &result, report);
    }
    return status;
}

/* libsecretmem's own message has said why there is no secret memory, and the remedy. */
static void say_memory(void)
{
    const char *kind = secret_memory_kind();

    if (strcmp(kind, "secret") != 0)
        say("scan: the keys searched for are held in %s memory, which root can read", kind);
}

/* Does all work on secrets, on the secret stack. Returns the exit status. */
static int scan(void *argument)
{
    const struct request *request = argument;
    struct key_parts keys = {0};
    int status = COULD_NOT_LOOK;

    struct searcher *searcher = load_keys(request, &keys) ? searcher_make(&keys) : NULL;
    struct scan_report *report =
        searcher == NULL ? NULL : scan_report_begin(request->json, &keys);

    if (report != NULL) {
        say_memory();
        status = search_all(request, searcher, report);
        /* If some parts were not searched for, finding no copy proves nothing. */
        if (status == NO_COPY && keys.incomplete)
            status = COULD_NOT_LOOK;
        if (!scan_report_end(report))
            status = COULD_NOT_LOOK;
    }
    searcher_free(searcher);
    key_parts_free(&keys);
    return status;
}

static int protected_scan(struct request *request)
{
    if (!protect_self())
        return COULD_NOT_LOOK;
    catch_signals();

    int status = secret_stack_call(scan, request);

    if (status < 0) {
        say("scan: no memory for a stack: %s", strerror(errno));
        status = COULD_NOT_LOOK;
    }
    OPENSSL_cleanup();
    if (stop_signal)
        raise(stop_signal);
    return status;
}

enum { KEY = 256, KEYLOG, PASSIN, KERNEL, JSON };

static error_t scan_end(const struct request *request)
{
    if (request->key_count + request->log_count == 0)
        say("scan: no key to look for; give --key FILE with a private key, or --keylog FILE");
    else if (request->selection.count == 0 && request->kernel == NULL)
        say("scan: no process to search; give numbers, a program or a unit");
    else
        return 0;
    return EINVAL;
}

static error_t scan_option(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case KEY:
        request->key_files[request->key_count++] = argument;
        return 0;
    case KEYLOG:
        request->log_files[request->log_count++] = argument;
        return 0;
    case PASSIN:
        request->passin = argument;
        return 0;
    case KERNEL:
        request->kernel = argument != NULL ? argument : KERNEL_CORE;
        return 0;
    case JSON:
        request->json = true;
        return 0;
    case ARGP_KEY_ARG:
        return selection_add(&request->selection, "scan", argument) ? 0 : EINVAL;
    case ARGP_KEY_END:
        return scan_end(request);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* A name that no process was found by is a process that could not be searched. */
static int find_and_scan(struct request *request)
{
    int status = COULD_NOT_LOOK;

    if (selection_find(&request->selection, "scan", &request->found)) {
        size_t missing = selection_say_missing(&request->selection, "scan", &request->found);

        if (request->found.count > 0 || request->kernel != NULL)
            status = protected_scan(request);
        if (missing > 0)
            status = COULD_NOT_LOOK;
    }
    found_list_free(&request->found);
    return status;
}

static int scan_main(const struct command *self, int argc, char **argv)
{
    struct request request = {
        .key_files = calloc((size_t)argc, sizeof(*request.key_files)),
        .log_files = calloc((size_t)argc, sizeof(*request.log_files)),
    };
    int status = COULD_NOT_LOOK;

    if (request.key_files == NULL || request.log_files == NULL)
        say("scan: out of memory");
    else if (options_parse(self, argc, argv, 0, &request))
        status = find_and_scan(&request);
    selection_free(&request.selection);
    free(request.key_files);
    free(request.log_files);
    return status;
}

static const struct argp_option options[] = {
    {"key", KEY, "FILE", 0, "Search for this private key: PEM, DER, PKCS#12 or OpenSSH", 0},
    {"keylog", KEYLOG, "FILE", 0,
     "Search for these secrets of TLS sessions, as clients write them to SSLKEYLOGFILE", 0},
    {"passin", PASSIN, "FILE", 0, "The first line of FILE is the passphrase of the keys", 0},
    {"kernel", KERNEL, "CORE", OPTION_ARG_OPTIONAL,
     "Also search the kernel's memory, with the page cache: /proc/kcore, or CORE, a dump of it",
     0},
    {"json", JSON, NULL, 0, "Print one JSON object instead of lines of text", 0},
    {0},
};

const struct command command_scan = {
    .name = "scan",
    .summary = "Search the memory of processes for copies of private keys",
    .parser =
        {
            .options = options,
            .parser = scan_option,
            .args_doc =
                "--key FILE... PID|PROGRAM|UNIT...\n--keylog FILE... PID|PROGRAM|UNIT...\n"
                "--key FILE... --kernel[=CORE] [PID|PROGRAM|UNIT...]",
            .doc =
                "Searches all readable memory of each process for the private parts of the "
                "keys, and for the secrets of TLS sessions. --key and --keylog may be given "
                "several times. A process is named by its number; all processes of a program "
                "or of a unit of systemd by its name (nginx, nginx.service).\v"
                "The search finds d, p, q, dP, dQ and qInv of RSA keys, seeds and vectors of "
                "ML-KEM, ML-DSA and SLH-DSA keys, and the private value of other keys: "
                "big-endian, little-endian, as DER and as base64 text (PEM). At least half of "
                "a part counts as a copy. Each copy is shown with its address, mapping and "
                "offset.\n\n"
                "Nobody can read secret memory. The report lists secret memory, other memory "
                "that could not be searched, and TLS libraries that libsecretssl cannot reach, "
                "as far as their files show it. Processes of other users, and the kernel, need "
                "root.\n\n"
                "Exit status: 0 no copy outside secret memory, 1 copies found, 2 a process "
                "could not be searched, or not to its end (copies found elsewhere are shown), "
                "or the arguments are wrong.",
            .children = options_help,
        },
    .usage_status = COULD_NOT_LOOK,
    .main = scan_main,
};
