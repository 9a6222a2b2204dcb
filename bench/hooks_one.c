/* SPDX-License-Identifier: Apache-2.0 */
/* The preload's hooks, all memory in one partition: what partitions cost is the difference. */
#include "hooks/partition.h"

#define route_fast(file)  ((void)(file), (uint64_t)SM_PART_KEY)
#define route(file, size) ((void)(file), (void)(size), SM_PART_KEY)

#include "../preload/hooks/mem_hooks.c" /* NOLINT(bugprone-suspicious-include) */
