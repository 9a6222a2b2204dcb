/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings: an input is an environment, strings with a zero byte behind each. A setting is
 * accepted with the documented value, or refused with one line and without an effect. What is
 * documented is written here a second time.
 */
#include "base/settings.h"
#include "harness.h"
#include <ctype.h>
#include <stddef.h>
#include <string.h>

enum { STRINGS = 16, ERROR_MOST = 256 };

enum verdict { UNKNOWN, WRONG, RIGHT };

struct rule {
    const char *name;
    size_t offset;
    const char *words; /* with a bar behind each; NULL: a size */
    size_t least;
};

/* The two bounds of sizes */
#define MOST        ((unsigned __int128)1 << 40)
#define LEAST_ARENA (64 * 1024)

#define FIELD(field) offsetof(struct sm_settings, field)

static const struct rule rules[] = {
    {"ARENA_SIZE", FIELD(arena_size), NULL, LEAST_ARENA},
    {"PREFAULT", FIELD(prefault), NULL, 0},
    {"FORK_COPY", FIELD(fork_copy), "kernel|library|", 0},
    {"FORK_RESERVE", FIELD(fork_reserve), NULL, 0},
    {"QUARANTINE", FIELD(quarantine), NULL, 0},
    {"REQUIRE", FIELD(require), "0|1|", 0},
    {"UNCACHED", FIELD(uncached), "off|prefer|require|", 0},
    {"ROUTE", FIELD(route), "all|keys|", 0},
    {"FORK", FIELD(fork), "copy|deny|", 0},
    {"ZERO", FIELD(zero), "0|1|", 0},
    {"DROP_CACHE", FIELD(drop_cache), "0|1|", 0},
    {"SESSIONS", FIELD(sessions), "plain|sealed|", 0},
    {"FUNCTIONS", FIELD(functions), "refuse|ignore|", 0},
    {"MLOCK", FIELD(mlock), "auto|off|", 0},
    {"SEAL", FIELD(seal), "off|prefer|require|", 0},
    {"STATS", FIELD(stats), "0|1|", 0},
    {"TRACE", FIELD(trace), "0|1|", 0},
    /* A path is a value of its own: SM_LOG_FILE stands at its place. */
    {"LOG", FIELD(log), "stderr|syslog||none|", 0},
};

static struct sm_settings defaults;

static enum verdict word_of(const char *words, const char *value, int *number)
{
    size_t length = strlen(value);

    for (*number = 0; *words; ++*number) {
        size_t word = strcspn(words, "|");
        if (word == length && length > 0 && memcmp(words, value, length) == 0)
            return RIGHT;
        words += word + 1;
    }
    return WRONG;
}

static enum verdict size_of(const char *value, size_t least, size_t *bytes)
{
    static const char suffixes[] = "kmgt";
    unsigned __int128 number = 0;
    size_t digits = strspn(value, "0123456789");
    const char *suffix;

    for (size_t i = 0; i < digits; i++) {
        number = number * 10 + (unsigned)(value[i] - '0');
        number = number > MOST ? MOST + 1 : number;
    }
    if (digits == 0 || strlen(value) > digits + 1)
        return WRONG;
    if (value[digits]) {
        suffix = strchr(suffixes, tolower((unsigned char)value[digits]));
        if (!suffix)
            return WRONG;
        number <<= 10 * (suffix - suffixes + 1);
    }
    *bytes = (size_t)number;
    return number < least || number > MOST ? WRONG : RIGHT;
}

/* What the documents say of a setting. If they accept it, it is set in *to. */
static enum verdict documented(const char *name, size_t length, const char *value,
                               struct sm_settings *to)
{
    enum verdict verdict;

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *rule = &rules[i];
        char *field = (char *)to + rule->offset;
        size_t bytes;
        int word;

        if (strlen(rule->name) != length || memcmp(rule->name, name, length) != 0)
            continue;
        if (!rule->words) {
            verdict = size_of(value, rule->least, &bytes);
            if (verdict == RIGHT)
                memcpy(field, &bytes, sizeof(bytes));
            return verdict;
        }
        verdict = word_of(rule->words, value, &word);
        if (verdict == WRONG && strcmp(rule->name, "LOG") == 0 && value[0] == '/' &&
            strlen(value) < SM_LOG_PATH_MAX) {
            strcpy(to->log_path, value);
            word = SM_LOG_FILE;
            verdict = RIGHT;
        }
        if (verdict == RIGHT)
            memcpy(field, &word, sizeof(word));
        return verdict;
    }
    return UNKNOWN;
}

/* One line that names the setting, as far as the room goes; names are cut to 40 letters. */
static void check_line(const char *error, size_t room, const char *name, size_t length)
{
    const size_t prefix = strlen("SECRETSSL_");
    size_t written = strnlen(error, ERROR_MOST);

    EXPECT(written < room, "%zu bytes in %zu", written, room);
    for (size_t i = 0; i < written; i++)
        EXPECT((unsigned char)error[i] >= ' ' && error[i] != 0x7f, "a control character");
    EXPECT(written + 1 == room || strstr(error, ": ") != NULL, "'%s' says no reason", error);
    EXPECT(strncmp(error, "SECRETSSL_", sm_min(prefix, written)) == 0, "'%s'", error);
    for (size_t i = 0; i < sm_min(length, 40) && prefix + i < written; i++)
        EXPECT(error[prefix + i] == name[i] || iscntrl((unsigned char)name[i]),
               "'%s' names another setting", error);
}

static bool same(const struct sm_settings *wanted)
{
    return memcmp(wanted, &sm_settings, sizeof(*wanted)) == 0;
}

/* Through sm_settings_set(), which secretmem_configure() and the tests of the units call */
static void set_one(const char *text, size_t room)
{
    char name[512], error[ERROR_MOST];
    const char *equals = strchr(text, '='), *plain = name;
    struct sm_settings wanted = sm_settings;
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    enum verdict verdict;
    int result;

    if (length >= sizeof(name))
        return;
    memcpy(name, text, length);
    name[length] = '\0';
    if (strncmp(name, "SECRETSSL_", 10) == 0)
        plain += 10;
    memset(error, 0x55, sizeof(error));
    result = sm_settings_set(name, equals ? equals + 1 : "", error, room);
    verdict = documented(plain, strlen(plain), equals ? equals + 1 : "", &wanted);
    EXPECT(result == (verdict == RIGHT   ? 0
                      : verdict == WRONG ? -1
                                         : -2),
           "%s: %d", text, result);
    EXPECT(same(&wanted), "%s: another value", text);
    if (result != 0)
        check_line(error, room, plain, strlen(plain));
}

/* Whether a variable says nothing to libsecretssl. */
static bool passed_over(const char *text)
{
    const char *equals = strchr(text, '=');

    return strncmp(text, "SECRETSSL_", 10) != 0 || !equals || equals[1] == '\0' ||
           strncmp(text + 10, "PREFAULT_PID=", 13) == 0;
}

static void set_all(char *const *environment, size_t room)
{
    struct sm_settings wanted = sm_settings = defaults;
    char error[ERROR_MOST];
    const char *wrong = NULL;
    int result;

    memset(error, 0x55, sizeof(error));
    result = sm_settings_from_env(environment, error, room);
    for (; *environment; environment++) {
        const char *text = *environment + 10;
        if (passed_over(*environment))
            continue;
        if (documented(text, strcspn(text, "="), strchr(text, '=') + 1, &wanted) != RIGHT)
            wrong = wrong ? wrong : text;
    }
    EXPECT(result == (wrong ? -1 : 0), "%d, and the first wrong one is %s", result,
           wrong ? wrong : "none");
    EXPECT(same(&wanted), "the environment sets other values");
    if (wrong)
        check_line(error, room, wrong, strcspn(wrong, "="));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    defaults = sm_settings;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[8192];
    char *environment[STRINGS + 1] = {NULL};
    size_t room, count = 0;

    if (size < 1 || size > sizeof(text))
        return -1;
    /* The first byte is the room for the message, which mostly is enough. */
    room = data[0] < 128 ? ERROR_MOST : (size_t)data[0] - 127;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    for (size_t at = 0; at < size && count < STRINGS; at += strlen(text + at) + 1)
        environment[count++] = text + at;
    sm_settings = defaults;
    for (size_t i = 0; i < count; i++)
        set_one(environment[i], room);
    set_all(environment, room);
    return 0;
}
