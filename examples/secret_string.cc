// SPDX-License-Identifier: Apache-2.0
// A program of somebody else's, in C++: bytes in secret memory, and a key that is sealed.
#include <secretmem.hpp>

#include <cstdio>

struct Key {
    unsigned char bytes[32];
};

int main()
{
    secretmem::bytes word(10, 'x');
    secretmem::arena arena(4096, SECRETMEM_ARENA_SEALED);
    secretmem::unique<Key> key;

    {
        secretmem::access access(arena);
        key = secretmem::make_in<Key>(arena);
        key->bytes[0] = 1;
    }
    // Here key->bytes[0] would be SIGSEGV.
    std::printf("contains %d\n",
                secretmem_contains(word.data()) && secretmem_contains(key.get()));
    std::printf("version %d.%d\n", SECRETMEM_VERSION_MAJOR, SECRETMEM_VERSION_MINOR);
    return 0;
}
