/* SPDX-License-Identifier: Apache-2.0 */
/* The purpose of memory (sm_part) and its source (sm_kind). */
#ifndef SM_BASE_MEMORY_KIND_H
#define SM_BASE_MEMORY_KIND_H

/*
 * What a partition holds. BYTES: key material that is only bytes (words of big numbers, octet
 * keys); only this partition may be uncached. KEY: anything else that may hold or lead to
 * secrets. IO: record buffers. PUBLIC: public data.
 */
enum sm_part { SM_PART_BYTES, SM_PART_KEY, SM_PART_IO, SM_PART_PUBLIC, SM_PARTS };

/*
 * Where a page's memory comes from. ORDINARY is chosen (SECRETSSL_ROUTE), so it is not
 * degraded.
 */
enum sm_kind { SM_KIND_NONE, SM_KIND_SECRET, SM_KIND_LOCKED, SM_KIND_PLAIN, SM_KIND_ORDINARY };

#define SM_KINDS 5

/* Sets of kinds */
#define SM_KIND_BIT(kind) (1U << (kind))
#define SM_KINDS_ALL      (SM_KIND_BIT(SM_KINDS) - 1)

#endif
