/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/key_source.h"
#include "cli/message.h"
#include "process/list.h"
#include "secretmem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool known(const struct key_parts *keys, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->parts[i].size == size && memcmp(keys->parts[i].bytes, bytes, size) == 0)
            return true;
    }
    return false;
}

bool key_source_add(struct key_source *from, const char *name, enum key_form form,
                    uint8_t *bytes, size_t size)
{
    struct key_parts *keys = from->keys;

    from->taken++;
    if (size < KEY_PART_LEAST) {
        say("scan: %s of the %s key in %s has %zu bytes: shorter than %d it would be found by "
            "chance; give a key of usual size",
            name, from->type, from->file, size, KEY_PART_LEAST);
        secretmem_free(bytes);
        return false;
    }
    if (known(keys, bytes, size)) {
        secretmem_free(bytes);
        return true;
    }

    struct key_part *more = list_grown(keys->parts, keys->count, sizeof(*more));

    if (more == NULL) {
        say("scan: out of memory");
        secretmem_free(bytes);
        return false;
    }
    keys->parts = more;

    struct key_part *part = &more[keys->count++];

    *part = (struct key_part){.file = from->file, .form = form, .size = size, .bytes = bytes};
    snprintf(part->type, sizeof(part->type), "%s", from->type);
    snprintf(part->name, sizeof(part->name), "%s", name);
    return true;
}
