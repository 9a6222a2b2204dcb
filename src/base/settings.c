/* SPDX-License-Identifier: Apache-2.0 */
#include "base/settings.h"
#include "base/format.h"
#include <string.h>

#define PREFIX     "SECRETSSL_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define NAME_MAX_  40 /* letters of a wrong name */
#define SHOWN_MAX  80 /* of a wrong value; the accepted values must fit too */

struct sm_settings sm_settings = {
    .arena_size = 256 * SM_MIB,
    .zero = 1,
    .drop_cache = 1,
};

enum kind { SIZE, CHOICE, LOG };

struct setting {
    const char *name;
    enum kind kind;
    void *target; /* size_t for SIZE, int for the others */
    const char *accepted;
    size_t least, most;   /* SIZE: bytes */
    const char *words[3]; /* CHOICE: the index of a word is its value */
};

/* clang-format off */
static const struct setting settings[] = {
    {"ARENA_SIZE", SIZE, &sm_settings.arena_size, "64K to 1T, in bytes or with a suffix K, M, G or T",
     .least = 64 * SM_KIB, .most = SM_TIB},
    {"PREFAULT", SIZE, &sm_settings.prefault, "0 to 1T, in bytes or with a suffix K, M, G or T",
     .most = SM_TIB},
    {"REQUIRE", CHOICE, &sm_settings.require, "0 or 1", .words = {"0", "1"}},
    {"UNCACHED", CHOICE, &sm_settings.uncached, "off, prefer or require",
     .words = {"off", "prefer", "require"}},
    {"ROUTE", CHOICE, &sm_settings.route, "all or keys", .words = {"all", "keys"}},
    {"FORK", CHOICE, &sm_settings.fork, "copy or deny", .words = {"copy", "deny"}},
    {"FORK_COPY", CHOICE, &sm_settings.fork_copy, "kernel or library", .words = {"kernel", "library"}},
    {"FORK_RESERVE", SIZE, &sm_settings.fork_reserve, "0 to 1T, in bytes or with a suffix K, M, G or T",
     .most = SM_TIB},
    {"QUARANTINE", SIZE, &sm_settings.quarantine, "0 to 1T, in bytes or with a suffix K, M, G or T",
     .most = SM_TIB},
    {"ZERO", CHOICE, &sm_settings.zero, "0 or 1", .words = {"0", "1"}},
    {"DROP_CACHE", CHOICE, &sm_settings.drop_cache, "0 or 1", .words = {"0", "1"}},
    {"SESSIONS", CHOICE, &sm_settings.sessions, "plain or sealed", .words = {"plain", "sealed"}},
    {"FUNCTIONS", CHOICE, &sm_settings.functions, "refuse or ignore", .words = {"refuse", "ignore"}},
    {"MLOCK", CHOICE, &sm_settings.mlock, "auto or off", .words = {"auto", "off"}},
    {"SEAL", CHOICE, &sm_settings.seal, "off, prefer or require",
     .words = {"off", "prefer", "require"}},
    {"LOG", LOG, &sm_settings.log, "stderr, syslog, none or an absolute path", .words = {0}},
    {"STATS", CHOICE, &sm_settings.stats, "0 or 1", .words = {"0", "1"}},
    {"TRACE", CHOICE, &sm_settings.trace, "0 or 1", .words = {"0", "1"}},
};
/* clang-format on */

static bool parse_size(const char *text, size_t least, size_t most, size_t *out)
{
    size_t value = 0;
    const char *c = text;

    if (*c < '0' || *c > '9')
        return false;
    for (; *c >= '0' && *c <= '9'; c++) {
        if (value > SM_TIB)
            return false;
        value = value * 10 + (size_t)(*c - '0');
    }
    if (*c) {
        static const char suffixes[] = "KkMmGgTt";
        const char *suffix = strchr(suffixes, *c);
        long shift = suffix ? 10 * ((suffix - suffixes) / 2 + 1) : 0;
        if (!suffix || c[1] || value > (SM_TIB >> shift))
            return false;
        value <<= shift;
    }
    if (value < least || value > most)
        return false;
    *out = value;
    return true;
}

static bool parse_choice(const struct setting *s, const char *text)
{
    for (int i = 0; i < 3 && s->words[i]; i++) {
        if (strcmp(s->words[i], text) == 0) {
            *(int *)s->target = i;
            return true;
        }
    }
    return false;
}

static bool parse_log(const char *text)
{
    size_t length = strlen(text);

    if (strcmp(text, "stderr") == 0) {
        sm_settings.log = SM_LOG_STDERR;
    } else if (strcmp(text, "syslog") == 0) {
        sm_settings.log = SM_LOG_SYSLOG;
    } else if (strcmp(text, "none") == 0) {
        sm_settings.log = SM_LOG_NONE;
    } else if (text[0] == '/' && length < SM_LOG_PATH_MAX) {
        memcpy(sm_settings.log_path, text, length + 1);
        sm_settings.log = SM_LOG_FILE;
    } else {
        return false;
    }
    return true;
}

static int setting_parse(const struct setting *s, const char *value, char *error, size_t size)
{
    bool good = false;
    char shown[SHOWN_MAX + 1];
    size_t length;

    switch (s->kind) {
    case SIZE:
        good = parse_size(value, s->least, s->most, s->target);
        break;
    case CHOICE:
        good = parse_choice(s, value);
        break;
    case LOG:
        good = parse_log(value);
        break;
    }
    if (good)
        return 0;
    for (length = 0; length < SHOWN_MAX && value[length]; length++)
        shown[length] = value[length];
    shown[length] = '\0';
    sm_format(error, size, PREFIX "%s=%s%s: accepted values are %s", s->name, shown,
              value[length] ? "..." : "", s->accepted);
    return -1;
}

/* Finds a setting. name ends at '=' or at its end. Returns NULL if there is no such setting. */
static const struct setting *setting_find(const char *name)
{
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        size_t length = strlen(settings[i].name);
        if (strncmp(settings[i].name, name, length) == 0 &&
            (name[length] == '\0' || name[length] == '='))
            return &settings[i];
    }
    return NULL;
}

/*
 * Whether a variable belongs to another program of this project: `secretssl run` names the
 * process that PREFAULT is for.
 */
static bool is_internal(const char *name)
{
    static const char internal[] = "PREFAULT_PID=";

    return strncmp(name, internal, sizeof(internal) - 1) == 0;
}

/* The number of letters to change, add or leave out to turn one name into the other. */
static unsigned distance(const char *a, size_t length, const char *b)
{
    unsigned row[NAME_MAX_ + 1];
    size_t columns = strlen(b);

    for (size_t j = 0; j <= columns; j++)
        row[j] = (unsigned)j;
    for (size_t i = 0; i < length; i++) {
        unsigned above = row[0]++;
        for (size_t j = 1; j <= columns; j++) {
            unsigned here = above + (a[i] != b[j - 1]);
            above = row[j];
            here = sm_min(here, above + 1);
            row[j] = sm_min(here, row[j - 1] + 1);
        }
    }
    return row[columns];
}

/* Reports an unknown name, without the prefix. name ends at '=' or at its end. */
static void no_such(const char *name, char *error, size_t size)
{
    size_t length = strcspn(name, "=");
    const char *nearest = NULL;
    unsigned best = 0;
    char shown[NAME_MAX_ + 1];

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        unsigned far = distance(name, sm_min(length, NAME_MAX_), settings[i].name);
        /* A prefix counts as nearer to its full name than to another name of its length. */
        if (length > 2 && strncmp(name, settings[i].name, length) == 0)
            far = 1;
        if (!nearest || far < best) {
            nearest = settings[i].name;
            best = far;
        }
    }
    memcpy(shown, name, sm_min(length, NAME_MAX_));
    shown[sm_min(length, NAME_MAX_)] = '\0';
    sm_format(error, size, PREFIX "%s%s: no such setting; the nearest is " PREFIX "%s", shown,
              length > NAME_MAX_ ? "..." : "", nearest);
}

int sm_settings_set(const char *name, const char *value, char *error, size_t size)
{
    const struct setting *s;

    if (strncmp(name, PREFIX, PREFIX_LEN) == 0)
        name += PREFIX_LEN;
    s = setting_find(name);
    if (!s || strchr(name, '=')) {
        no_such(name, error, size);
        return -2;
    }
    return setting_parse(s, value, error, size);
}

int sm_settings_from_env(char *const *envp, char *error, size_t size)
{
    char more[256], *to = error;
    int result = 0;

    for (; envp && *envp; envp++) {
        const struct setting *s;
        const char *value;
        if (strncmp(*envp, PREFIX, PREFIX_LEN) != 0)
            continue;
        s = setting_find(*envp + PREFIX_LEN);
        value = strchr(*envp, '=');
        /* An empty value counts as unset, as in most tools. */
        if (!value || value[1] == '\0' || is_internal(*envp + PREFIX_LEN))
            continue;
        if (!s)
            no_such(*envp + PREFIX_LEN, to, size);
        if (s && setting_parse(s, value + 1, to, size) == 0)
            continue;
        /*
         * Only the first error is reported. Correct settings still apply where the caller
         * continues.
         */
        result = -1;
        to = more;
        size = sm_min(size, sizeof(more));
    }
    return result;
}
