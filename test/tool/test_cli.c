/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments, messages and key files of the tool. */
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "keys.h"
#include "plant.h"
#include "spawn.h"

TestSuite(cli, .init = (void (*)(void))enter_temporary_directory,
          .fini = leave_temporary_directory, .timeout = 60);

static void check_output(struct outcome outcome, const char *text)
{
    cr_expect_eq(outcome.status, 0);
    cr_expect(strstr(outcome.out, text) != NULL, "no '%s' in: %s", text, outcome.out);
    cr_expect_str_eq(outcome.err, "");
    outcome_free(&outcome);
}

Test(cli, help_and_version)
{
    check_output(TOOL_RUN("--help"), "scan");
    check_output(TOOL_RUN("--help"), "run");
    check_output(TOOL_RUN("--help"), "doctor");
    check_output(TOOL_RUN("--help"), "stat");
    check_output(TOOL_RUN("--version"), "secretssl ");
    check_output(TOOL_RUN("scan", "--help"), "--key=FILE");
    check_output(TOOL_RUN("run", "--help"), "--arena-size=S");
    check_output(TOOL_RUN("doctor", "--help"), "--json");
    check_output(TOOL_RUN("stat", "--help"), "--prometheus");
    check_output(TOOL_RUN("scan", "--version"), "secretssl ");
}

Test(cli, unknown_things)
{
    check_message(run_program((const char *const[]){TOOL, NULL}), 2, "secretssl --help");
    check_message(TOOL_RUN("scna"), 2, "'scna'");
    check_option_error(TOOL_RUN("--frobnicate"), 2, "'--frobnicate'\n");
    check_message(TOOL_RUN("scan", "--kye", "x", "1"), 2, "did you mean '--key'?");
    check_option_error(TOOL_RUN("scan", "--zzzz", "x", "1"), 2, "'--zzzz'\n");
    check_option_error(TOOL_RUN("scan", "-z", "1"), 2, "'z'\n");
    check_option_error(TOOL_RUN("scan", "--key"), 2, "'--key' requires an argument");
    check_option_error(TOOL_RUN("scan", "--json=yes", "1"), 2, "doesn't allow an argument");
}

Test(cli, what_is_missing)
{
    write_key(make_key("ED25519"), "key.pem");
    check_message(TOOL_RUN("scan", "1"), 2, "--key FILE");
    check_message(TOOL_RUN("scan", "--key", "key.pem"), 2, "no process");
    check_message(TOOL_RUN("scan", "--key", "none.pem", "1"), 2, "none.pem");
}

Test(cli, bad_process_numbers)
{
    static const char *const bad[] = {"0", "no-such-program",      "12x",       "-5",
                                      "",  "99999999999999999999", "4294967297"};

    write_key(make_key("ED25519"), "key.pem");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_message(TOOL_RUN("scan", "--key", "key.pem", "--", bad[i]), 2, bad[i]);
}

static void write_text(const char *file, const char *text)
{
    FILE *stream = fopen(file, "w");

    cr_assert(stream != NULL && fputs(text, stream) >= 0 && fclose(stream) == 0);
}

Test(cli, files_without_a_key)
{
    EVP_PKEY *pkey = make_key("ED25519")->pkey;
    FILE *file = fopen("public.pem", "w");

    cr_assert(file != NULL && PEM_write_PUBKEY(file, pkey));
    fclose(file);
    write_text("empty", "");
    write_text("text", "no key here\n");
    check_message(TOOL_RUN("scan", "--key", "public.pem", "1"), 2, "no private key found");
    check_message(TOOL_RUN("scan", "--key", "empty", "1"), 2, "no private key found");
    check_message(TOOL_RUN("scan", "--key", "text", "1"), 2, "no private key found");
    check_message(TOOL_RUN("scan", "--key", "/", "1"), 2, "directory");
    check_message(TOOL_RUN("scan", "--key", "/dev/zero", "1"), 2, "larger than 1M");
}

/* An error names the option that is wrong, whatever stands before it. */
Test(cli, combined_options)
{
    check_option_error(TOOL_RUN("scan", "--json", "-xy"), 2, "option -- 'x'\n");
    check_option_error(TOOL_RUN("scan", "--json", "-x"), 2, "option -- 'x'\n");
    check_message(TOOL_RUN("scan", "--jsonx"), 2,
                  "unknown option '--jsonx'; did you mean '--json'?");
    check_option_error(TOOL_RUN("scan", "--ke", "a"), 2,
                       "'--ke' is ambiguous; possibilities: '--key");
    check_option_error(TOOL_RUN("scan", "--key", "a", "--json=1"), 2,
                       "option '--json' doesn't allow an argument");
    check_option_error(TOOL_RUN("scan", "--json", "--key"), 2,
                       "option '--key' requires an argument");
}

Test(cli, pipe)
{
    struct outcome outcome;

    write_key(make_key("ED25519"), "key.pem");
    cr_assert_eq(mkfifo("fifo", 0600), 0);
    check_message(TOOL_RUN("scan", "--key", "fifo", "1"), 2, "nobody writes to the pipe fifo");
    outcome = run_program((const char *const[]){
        "sh", "-c", "cat key.pem >fifo & exec " TOOL " scan --key fifo $PPID", NULL});
    cr_expect_eq(outcome.status, 1, "a pipe with a writer: %d %s", outcome.status, outcome.err);
}

Test(cli, openssh_key)
{
    write_text("id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n"
                             "-----END OPENSSH PRIVATE KEY-----\n");
    check_message(TOOL_RUN("scan", "--key", "id_ed25519", "1"), 2, "ssh-keygen -p -m PEM");
}

/* TLS secrets of a key log, whole and by halves, and not what is public in it. */
Test(cli, key_log)
{
    static const char log[] =
        "# a comment\n\n"
        "CLIENT_RANDOM 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff "
        "8f0e1d2c3b4a59687786a5b4c3d2e1f0000102030405060708090a0b0c0d0e0f"
        "a0b1c2d3e4f5061728394a5b6c7d8e9f\r\n"
        "SERVER_TRAFFIC_SECRET_0 00 "
        "075F4AB854e2a33c8ac11c0758796af4ae994ec4e37e36b6f11b503492c68289\n";
    const uint8_t traffic[32] = {0x07, 0x5f, 0x4a, 0xb8, 0x54, 0xe2, 0xa3, 0x3c,
                                 0x8a, 0xc1, 0x1c, 0x07, 0x58, 0x79, 0x6a, 0xf4,
                                 0xae, 0x99, 0x4e, 0xc4, 0xe3, 0x7e, 0x36, 0xb6,
                                 0xf1, 0x1b, 0x50, 0x34, 0x92, 0xc6, 0x82, 0x89};
    uint8_t master[24] = {0x8f, 0x0e, 0x1d, 0x2c, 0x3b, 0x4a, 0x59, 0x68,
                          0x77, 0x86, 0xa5, 0xb4, 0xc3, 0xd2, 0xe1, 0xf0,
                          0,    1,    2,    3,    4,    5,    6,    7};
    uint8_t random[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                          0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    struct planter planter = start_planter();
    struct outcome outcome;

    write_text("log", log);
    plant(&planter, STATIC_DATA, random, sizeof(random), 1);
    outcome = TOOL_RUN("scan", "--keylog", "log", planter.pid_text);
    cr_expect_eq(outcome.status, 0, "%s%s", outcome.out, outcome.err);
    plant(&planter, STATIC_DATA, traffic, sizeof(traffic), 1);
    plant(&planter, MAIN_STACK, master, sizeof(master), 1);
    outcome = TOOL_RUN("scan", "--keylog", "log", planter.pid_text);
    cr_expect_eq(outcome.status, 1, "%s", outcome.err);
    cr_expect(strstr(outcome.out, "session SERVER_TRAFFIC_SECRET_0 of log, raw, 32 bytes\n") !=
              NULL);
    cr_expect(strstr(outcome.out, "session CLIENT_RANDOM of log, raw, 24 of 48 bytes\n") !=
                  NULL,
              "%s", outcome.out);
    stop_planter(&planter);
}

Test(cli, no_key_log)
{
    static const char *const bad[] = {"",
                                      "# nothing\n",
                                      "CLIENT_RANDOM 00\n",
                                      "CLIENT_RANDOM 00 0x00\n",
                                      "CLIENT_RANDOM 00 000\n",
                                      "client_random 00 00\n",
                                      "CLIENT_RANDOM 00 00 00\n"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_text("log", bad[i]);
        check_message(TOOL_RUN("scan", "--keylog", "log", "1"), 2, "key log");
    }
    write_text("log", "CLIENT_RANDOM 00 0001020304\n");
    check_message(TOOL_RUN("scan", "--keylog", "log", "1"), 2, "by chance");
}

static void write_encrypted(EVP_PKEY *pkey, const char *file, const char *passphrase)
{
    FILE *stream = fopen(file, "w");

    cr_assert(stream != NULL && PEM_write_PKCS8PrivateKey(stream, pkey, EVP_aes_256_cbc(), NULL,
                                                          0, NULL, (void *)passphrase));
    fclose(stream);
}

Test(cli, passphrase)
{
    struct test_key *key = make_key("rsa2048");
    struct planter planter = start_planter();
    const char *pid = planter.pid_text;

    plant(&planter, HEAP_UNALIGNED, key->parts[2].reversed, key->parts[2].size, 1);
    write_encrypted(key->pkey, "key.pem", "correct horse");
    write_text("right", "correct horse\nsecond line\n");
    write_text("wrong", "battery staple\n");
    check_message(TOOL_RUN("scan", "--key", "key.pem", pid), 2, "--passin FILE");
    check_message(TOOL_RUN("scan", "--key", "key.pem", "--passin", "wrong", pid), 2,
                  "does not open");
    check_message(TOOL_RUN("scan", "--key", "key.pem", "--passin", "none", pid), 2, "none");

    struct outcome outcome = TOOL_RUN("scan", "--key", "key.pem", "--passin", "right", pid);

    cr_expect_eq(outcome.status, 1, "%s", outcome.err);
    cr_expect(strstr(outcome.out, ": RSA q of key.pem, little-endian, 128 bytes\n") != NULL,
              "%s", outcome.out);
    stop_planter(&planter);
}

/* The same key in every kind of file: found once, also when given several times. */
Test(cli, kinds_of_key_file)
{
    struct test_key *key = make_key("P-256");
    struct planter planter = start_planter();
    FILE *file = fopen("key.der", "w");
    PKCS12 *p12 = PKCS12_create("", NULL, key->pkey, NULL, NULL, 0, 0, 0, 0, 0);

    cr_assert(file != NULL && i2d_PrivateKey_fp(file, key->pkey));
    fclose(file);
    file = fopen("key.p12", "w");
    cr_assert(file != NULL && p12 != NULL && i2d_PKCS12_fp(file, p12));
    fclose(file);
    file = fopen("traditional.pem", "w");
    cr_assert(file != NULL);
    cr_assert(fwrite(key->blobs[7].bytes, 1, key->blobs[7].size, file) == key->blobs[7].size);
    fclose(file);
    write_key(key, "key.pem");
    plant(&planter, MAIN_STACK, key->parts[0].bytes, key->parts[0].size, 1);

    static const char *const files[] = {"key.pem", "traditional.pem", "key.der", "key.p12"};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        cr_expect_eq(copies_in_all(only_process(scan_json(files[i], planter.pid_text, 1))), 1,
                     "%s", files[i]);

    struct outcome outcome =
        TOOL_RUN("scan", "--key", "key.pem", "--key", "key.der", planter.pid_text);

    cr_expect_eq(outcome.status, 1);
    cr_expect(strstr(outcome.out, "1 copy outside secret memory") != NULL, "%s", outcome.out);
    stop_planter(&planter);
}

/* Two keys, two processes: each copy is told with its own key and process. */
Test(cli, several_keys_and_processes)
{
    struct test_key *one = make_key("X25519");
    struct test_key *two = make_key("ED448");
    struct planter first = start_planter();
    struct planter second = start_planter();

    write_key(one, "one.pem");
    write_key(two, "two.pem");
    plant(&first, STATIC_DATA, one->parts[0].bytes, one->parts[0].size, 1);
    plant(&second, STATIC_DATA, two->parts[0].bytes, two->parts[0].size, 2);

    struct outcome outcome = TOOL_RUN("scan", "--key", "one.pem", "--key", "two.pem",
                                      first.pid_text, second.pid_text);

    cr_expect_eq(outcome.status, 1);
    cr_expect(strstr(outcome.out, "X25519 private of one.pem, raw, 32 bytes") != NULL, "%s",
              outcome.out);
    cr_expect(strstr(outcome.out, "ED448 private of two.pem, raw, 57 bytes") != NULL, "%s",
              outcome.out);
    cr_expect(strstr(outcome.out, "(scan_planter): 1 copy ") != NULL, "%s", outcome.out);
    cr_expect(strstr(outcome.out, "(scan_planter): 2 copies ") != NULL, "%s", outcome.out);
    cr_expect(strstr(outcome.out, "not searched") == NULL, "what every process has: %s",
              outcome.out);
    stop_planter(&first);
    stop_planter(&second);
}

Test(cli, full_output)
{
    write_key(make_key("ED25519"), "key.pem");

    struct outcome outcome = run_program(
        (const char *const[]){"sh", "-c", TOOL " scan --key key.pem $$ >/dev/full", NULL});

    cr_expect_eq(outcome.status, 2);
    cr_expect(strstr(outcome.err, "cannot write") != NULL, "%s", outcome.err);
}
