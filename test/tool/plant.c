/* SPDX-License-Identifier: Apache-2.0 */
#include "plant.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spawn.h"

struct planter start_planter(void)
{
    int in[2], out[2];

    cr_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0, "pipe");

    struct planter planter = {
        .pid = start_program((const char *const[]){PLANTER, NULL}, in[0], out[1], -1),
        .in = in[1],
        .out = out[0],
    };

    close(in[0]);
    close(out[1]);
    snprintf(planter.pid_text, sizeof(planter.pid_text), "%d", (int)planter.pid);
    return planter;
}

uint64_t plant(struct planter *planter, enum place place, const void *bytes, size_t size,
               unsigned repeat)
{
    struct plant_head head = {place, (uint32_t)size, repeat};
    uint8_t *masked = malloc(size);
    char line[32] = "";
    size_t used = 0;

    cr_assert(masked != NULL && size <= PLANT_MOST);
    for (size_t i = 0; i < size; i++)
        masked[i] = ((const uint8_t *)bytes)[i] ^ MASK;
    cr_assert(write(planter->in, &head, sizeof(head)) == (ssize_t)sizeof(head));
    cr_assert(write(planter->in, masked, size) == (ssize_t)size);
    free(masked);
    while (used < sizeof(line) - 1 && strchr(line, '\n') == NULL) {
        cr_assert(read(planter->out, line + used, 1) == 1, "the planter failed (place %d)",
                  (int)place);
        used++;
    }
    return strtoull(line, NULL, 16);
}

void stop_planter(struct planter *planter)
{
    close(planter->in);
    close(planter->out);
    cr_assert_eq(wait_program(planter->pid), 0);
}

json_t *scan_json(const char *key_file, const char *pid, int status)
{
    struct outcome outcome = TOOL_RUN("scan", "--json", "--key", key_file, pid);
    json_error_t error;

    cr_assert_eq(outcome.status, status, "exit status %d, not %d: %s%s", outcome.status, status,
                 outcome.err, outcome.out);

    json_t *root = json_loads(outcome.out, 0, &error);

    cr_assert(root != NULL, "%s: %s", error.text, outcome.out);
    outcome_free(&outcome);
    return root;
}

json_t *only_process(json_t *root)
{
    json_t *processes = json_object_get(root, "processes");

    cr_assert_eq(json_array_size(processes), 1);
    return json_array_get(processes, 0);
}

static int is(const json_t *copy, const char *field, const char *wanted)
{
    return wanted == NULL ||
           strcmp(json_string_value(json_object_get(copy, field)), wanted) == 0;
}

size_t copies_at(const json_t *process, uint64_t from, size_t size, const char *component,
                 const char *encoding)
{
    json_t *copies = json_object_get(process, "copies");
    size_t count = 0;
    size_t i;
    json_t *copy;

    json_array_foreach(copies, i, copy)
    {
        uint64_t address =
            strtoull(json_string_value(json_object_get(copy, "address")), NULL, 16);

        if (address >= from && address - from < size && is(copy, "component", component) &&
            is(copy, "encoding", encoding))
            count++;
    }
    return count;
}

size_t copies_in_all(const json_t *process)
{
    return json_array_size(json_object_get(process, "copies"));
}

size_t whole_copies(const json_t *process)
{
    json_t *copies = json_object_get(process, "copies");
    size_t count = 0;
    size_t i;
    json_t *copy;

    json_array_foreach(copies, i, copy)
    {
        if (json_integer_value(json_object_get(copy, "size")) ==
            json_integer_value(json_object_get(copy, "of")))
            count++;
    }
    return count;
}
