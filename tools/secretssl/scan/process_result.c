/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "process/list.h"
#include "scan/process.h"

bool process_result_note(struct process_result *result, const struct mapping *mapping,
                         uint64_t size, const char *reason)
{
    size_t count = result->blind_spot_count;

    if (count > 0 && result->blind_spots[count - 1].mapping == mapping &&
        result->blind_spots[count - 1].reason == reason) {
        result->blind_spots[count - 1].size += size;
        return true;
    }

    struct blind_spot *more = list_grown(result->blind_spots, count, sizeof(*more));

    if (more == NULL)
        return false;
    result->blind_spots = more;
    more[count] = (struct blind_spot){.mapping = mapping, .size = size, .reason = reason};
    result->blind_spot_count++;
    return true;
}

bool process_result_add(struct process_result *result, const struct copy *copy)
{
    struct copy *more = list_grown(result->copies, result->copy_count, sizeof(*more));

    if (more == NULL)
        return false;
    result->copies = more;
    more[result->copy_count++] = *copy;
    return true;
}

void process_result_free(struct process_result *result)
{
    unreached_free(&result->unreached);
    process_map_free(&result->map);
    free(result->copies);
    free(result->blind_spots);
}
