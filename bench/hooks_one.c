/* SPDX-License-Identifier: Apache-2.0 */
/* The preload's hooks, all memory in one partition: what partitions cost is the difference. */
#include "hooks/partition.h"

#define partition_fast(file)      ((void)(file), (uint64_t)SM_PART_KEY)
#define partition_for(file, size) ((void)(file), (void)(size), SM_PART_KEY)

#include "../preload/hooks/mem_hooks.c" /* NOLINT(bugprone-suspicious-include) */
