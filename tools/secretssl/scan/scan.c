/* SPDX-License-Identifier: Apache-2.0 */
/* secretssl scan: searches the memory of processes for copies of private keys. */
#include <errno.h>
#include <getopt.h>
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
#include "scan/kernel.h"
#include "scan/key_parts.h"
#include "scan/process.h"
#include "scan/report.h"
#include "scan/searcher.h"
#include "secret/heap.h"
#include "secret/pages.h"
#include "secret/stack.h"

enum { NO_COPY = 0, COPIES = 1, COULD_NOT_LOOK = 2 };

static const char help_text[] =
    "Usage: secretssl scan --key FILE... [--keylog FILE]... [--passin FILE] [--json] PID...\n"
    "       secretssl scan --key FILE... [--keylog FILE]... --kernel[=CORE] [PID...]\n"
    "Searches all readable memory of each process for the private parts of the keys, and for\n"
    "the secrets of TLS sessions. Each --key and --keylog names one file; one of both is "
    "needed.\n"
    "\n"
    "  --key FILE     a private key: PEM, DER or PKCS#12\n"
    "  --keylog FILE  the secrets of TLS sessions, as clients write them to SSLKEYLOGFILE\n"
    "  --passin FILE  the first line of FILE is the passphrase of the keys\n"
    "  --kernel[=CORE]  search the kernel's memory too, with the page cache: all there is,\n"
    "                 by /proc/kcore, or by CORE, a dump of it\n"
    "  --json         one JSON object instead of lines of text\n"
    "  --help, --version\n"
    "\n"
    "Looked for are d, p, q, dP, dQ and qInv of RSA keys, seeds and vectors of ML-KEM, ML-DSA\n"
    "and SLH-DSA keys, and the private value of others: big-endian (or as DER), "
    "little-endian,\n"
    "and as base64 text (PEM). At least half of a part counts as a copy of it. Each copy is\n"
    "shown with its address, mapping and offset.\n"
    "Secret memory cannot be read, by nobody: it is listed, and so is what else could not\n"
    "be searched, and TLS that libsecretssl cannot reach, as far as its files show it.\n"
    "Reading other users' processes, and the kernel, needs root.\n"
    "\n"
    "Exit status: 0 no copy outside secret memory, 1 copies found, 2 could not look (at one\n"
    "process, or to its end; copies found elsewhere are still shown).\n";

struct request {
    const char **key_files;
    size_t key_count;
    const char **log_files;
    size_t log_count;
    const char *passin;
    const char *kernel; /* the core file; NULL: no kernel search */
    bool json;
    pid_t *pids;
    size_t pid_count;
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
    if (!secret_heap_serve_libcrypto()) {
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
    secret_free(passphrase);
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

static int search_all(const struct request *request, struct searcher *searcher,
                      struct scan_report *report)
{
    struct process_result result;
    int status = NO_COPY;
    bool good;

    for (size_t i = 0; i < request->pid_count && !stop_signal; i++) {
        good = process_scan(request->pids[i], searcher, &stop_signal, &result);
        status = conclude(status, good, &result, report);
    }
    if (request->kernel != NULL && !stop_signal) {
        good = kernel_scan(request->kernel, searcher, &stop_signal, &result);
        status = conclude(status, good, &result, report);
    }
    return status;
}

/* Does all work on secrets, on the secret stack. Returns the exit status. */
static int scan(void *argument)
{
    const struct request *request = argument;
    struct key_parts keys = {0};
    int status = COULD_NOT_LOOK;

    if (!load_keys(request, &keys))
        return status;

    struct searcher *searcher = searcher_make(&keys);
    struct scan_report *report =
        searcher == NULL ? NULL : scan_report_begin(request->json, &keys);

    if (report == NULL)
        return status;
    status = search_all(request, searcher, report);
    /* If some parts were not searched for, finding no copy proves nothing. */
    if (status == NO_COPY && keys.incomplete)
        status = COULD_NOT_LOOK;
    if (!scan_report_end(report))
        status = COULD_NOT_LOOK;
    return status;
}

/* Returns -1 to continue, else the exit status. */
static int scan_parse(const struct command *self, int argc, char **argv,
                      struct request *request)
{
    enum { KEY = 256, KEYLOG, PASSIN, KERNEL, JSON, HELP };
    static const struct option options[] = {
        {"key", required_argument, NULL, KEY},
        {"keylog", required_argument, NULL, KEYLOG},
        {"json", no_argument, NULL, JSON},
        {"kernel", optional_argument, NULL, KERNEL},
        {"passin", required_argument, NULL, PASSIN},
        {"help", no_argument, NULL, HELP},
        {0},
    };
    int answer;

    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (answer) {
        case KEY:
            request->key_files[request->key_count++] = optarg;
            break;
        case KEYLOG:
            request->log_files[request->log_count++] = optarg;
            break;
        case PASSIN:
            request->passin = optarg;
            break;
        case KERNEL:
            request->kernel = optarg != NULL ? optarg : KERNEL_CORE;
            break;
        case JSON:
            request->json = true;
            break;
        case 'h':
        case HELP:
            return print_help(self);
        default:
            return option_error(self, answer, argv);
        }
    }
    if (request->key_count + request->log_count == 0) {
        say("scan: no key to look for; give --key FILE with a private key, or --keylog FILE");
        return COULD_NOT_LOOK;
    }
    if (optind >= argc && request->kernel == NULL) {
        say("scan: no process to search; give one or more process numbers");
        return COULD_NOT_LOOK;
    }
    for (; optind < argc; optind++) {
        if (!parse_pid("scan", argv[optind], &request->pids[request->pid_count++]))
            return COULD_NOT_LOOK;
    }
    return -1;
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
    secret_pages_clear();
    if (stop_signal)
        raise(stop_signal);
    return status;
}

static int scan_main(const struct command *self, int argc, char **argv)
{
    struct request request = {
        .key_files = calloc((size_t)argc, sizeof(*request.key_files)),
        .log_files = calloc((size_t)argc, sizeof(*request.log_files)),
        .pids = calloc((size_t)argc, sizeof(*request.pids)),
    };
    int status = COULD_NOT_LOOK;

    if (request.key_files == NULL || request.log_files == NULL || request.pids == NULL) {
        say("scan: out of memory");
    } else {
        status = scan_parse(self, argc, argv, &request);
        if (status == -1)
            status = protected_scan(&request);
    }
    free(request.key_files);
    free(request.log_files);
    free(request.pids);
    return status;
}

const struct command command_scan = {
    .name = "scan",
    .summary = "look for copies of private keys in the memory of processes",
    .help = help_text,
    .usage_status = COULD_NOT_LOOK,
    .main = scan_main,
};
