/* SPDX-License-Identifier: Apache-2.0 */
#include "enable/server_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enable/child.h"
#include "enable/config_text.h"
#include "enable/postgresql.h"
#include "enable/text.h"

#define HAPROXY_FILE "/etc/haproxy/haproxy.cfg"

/* Takes no file that is larger than any configuration. */
enum { FILE_MOST = 16 << 20 };

static void append_file(FILE *text, const char *path)
{
    FILE *file = fopen(path, "re");
    char block[4096];
    size_t got, sum = 0;

    while (file != NULL && sum < FILE_MOST &&
           (got = fread(block, 1, sizeof(block), file)) > 0) {
        fwrite(block, 1, got, text);
        sum += got;
    }
    if (file != NULL)
        fclose(file);
}

/* Returns what the program writes to stdout, or NULL if it fails. The caller frees it. */
static char *printed_by(const char *const *argv)
{
    char *text;

    if (child_read(argv, NULL, STDOUT_FILENO, &text) == 0)
        return text;
    free(text);
    return NULL;
}

static char *text_of_file(const char *path)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    if (stream == NULL)
        return NULL;
    append_file(stream, path);
    fclose(stream);
    return text;
}

/* Apache lists the files that it reads, one a line, behind "(number)". */
static char *text_of_apache(void)
{
    char *save,
        *listed = printed_by((const char *[]){"apache2ctl", "-t", "-D", "DUMP_INCLUDES", NULL}),
        *text = NULL;
    size_t size;
    FILE *stream = listed != NULL ? open_memstream(&text, &size) : NULL;

    for (char *line = stream != NULL ? strtok_r(listed, "\n", &save) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        const char *path = strchr(line, '/');

        if (path != NULL) {
            append_file(stream, path);
            fputc('\n', stream);
        }
    }
    if (stream != NULL)
        fclose(stream);
    free(listed);
    return text;
}

char *nginx_configuration(const char *program)
{
    return printed_by((const char *[]){"timeout", "10", program, "-q", "-T", NULL});
}

/* nginx counts connections by worker; its first process has none. */
static void of_nginx(const char *program, unsigned processes, struct server_config *config)
{
    char *text = nginx_configuration(program);

    if (text == NULL)
        return;
    config->connections =
        config_most(text, "worker_connections") * (processes > 1 ? processes - 1 : 1);
    config->certificates = config_count(text, "ssl_certificate_key");
    free(text);
}

static void of_apache(struct server_config *config)
{
    char *text = text_of_apache();

    if (text == NULL)
        return;
    config->connections = config_most(text, "MaxRequestWorkers");
    config->certificates = config_count(text, "SSLCertificateFile");
    free(text);
}

static void of_haproxy(struct server_config *config)
{
    char *text = text_of_file(HAPROXY_FILE);

    if (text == NULL)
        return;
    config->connections = config_most(text, "maxconn");
    config->certificates = config_count(text, "crt");
    free(text);
}

static void of_postgresql(const char *unit, struct server_config *config)
{
    char version[32], cluster[128], *text;

    if (!postgresql_cluster(unit, version, sizeof(version), cluster, sizeof(cluster)))
        return;
    text = printed_by((const char *[]){"pg_conftool", "--short", version, cluster, "show",
                                       "max_connections", NULL});
    if (text != NULL)
        config->connections = strtoull(text, NULL, 10);
    free(text);
}

struct server_config server_config_of(const struct opened *opened, const char *program,
                                      unsigned processes)
{
    struct server_config config = {0};

    if (postgresql_starts(&opened->unit))
        of_postgresql(opened->name, &config);
    else if (text_ends_with(program, "/nginx"))
        of_nginx(program, processes, &config);
    else if (text_ends_with(program, "/apache2"))
        of_apache(&config);
    else if (text_ends_with(program, "/haproxy"))
        of_haproxy(&config);
    return config;
}
