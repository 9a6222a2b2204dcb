/* SPDX-License-Identifier: Apache-2.0 */
#include "secret/heap.h"

#include <openssl/crypto.h>
#include <stdint.h>
#include <string.h>

#include "secret/pages.h"

/*
 * Blocks are powers of two with a header in front. New blocks are cut from chunks; freed blocks
 * are kept on one list for each size. A program that loads a few keys and ends needs no more.
 */
enum { SMALLEST = 5, LARGEST = 40, CHUNK = 256 * 1024 };

struct block {
    size_t order; /* the block, header included, has 1 << order bytes */
    struct block *next;
};

_Static_assert(sizeof(struct block) == 16, "what follows the header must be aligned");

static struct block *freed[LARGEST + 1];
static char *chunk_at, *chunk_end;

static size_t order_of(size_t size)
{
    size_t order = SMALLEST;

    while (order <= LARGEST && (size_t)1 << order < size + sizeof(struct block))
        order++;
    return order;
}

static struct block *secret_cut(size_t size)
{
    if (size > CHUNK / 4)
        return secret_pages_map(size);
    if ((size_t)(chunk_end - chunk_at) < size) {
        chunk_at = secret_pages_map(CHUNK);
        chunk_end = chunk_at == NULL ? NULL : chunk_at + CHUNK;
        if (chunk_at == NULL)
            return NULL;
    }

    struct block *block = (struct block *)chunk_at;

    chunk_at += size;
    return block;
}

void *secret_alloc(size_t size)
{
    if (size == 0 || size > (size_t)1 << (LARGEST - 1))
        return NULL;

    size_t order = order_of(size);
    struct block *block = freed[order];

    if (block != NULL)
        freed[order] = block->next;
    else
        block = secret_cut((size_t)1 << order);
    if (block == NULL)
        return NULL;
    *block = (struct block){.order = order};
    return block + 1;
}

static size_t room(const struct block *block)
{
    return ((size_t)1 << block->order) - sizeof(*block);
}

void secret_free(void *pointer)
{
    if (pointer == NULL)
        return;

    struct block *block = (struct block *)pointer - 1;

    explicit_bzero(pointer, room(block));
    block->next = freed[block->order];
    freed[block->order] = block;
}

static void *libcrypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return secret_alloc(size);
}

static void libcrypto_free(void *pointer, const char *file, int line)
{
    (void)file;
    (void)line;
    secret_free(pointer);
}

static void *libcrypto_realloc(void *pointer, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (pointer == NULL)
        return secret_alloc(size);
    if (size == 0) {
        secret_free(pointer);
        return NULL;
    }

    size_t has = room((struct block *)pointer - 1);

    if (size <= has)
        return pointer;

    void *larger = secret_alloc(size);

    if (larger != NULL) {
        memcpy(larger, pointer, has);
        secret_free(pointer);
    }
    return larger;
}

int secret_heap_serve_libcrypto(void)
{
    return CRYPTO_set_mem_functions(libcrypto_malloc, libcrypto_realloc, libcrypto_free);
}
