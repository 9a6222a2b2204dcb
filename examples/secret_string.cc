// SPDX-License-Identifier: Apache-2.0
// A program of somebody else's, in C++: a string that lies in secret memory.
#include <secretmem.h>

#include <cstdio>
#include <new>
#include <string>

template <class T> struct Secret {
    using value_type = T;

    Secret() = default;
    template <class U> Secret(const Secret<U> &)
    {
    }

    T *allocate(std::size_t n)
    {
        void *p = secretmem_calloc(n, sizeof(T));
        if (!p)
            throw std::bad_alloc();
        return static_cast<T *>(p);
    }

    void deallocate(T *p, std::size_t)
    {
        secretmem_free(p);
    }

    bool operator==(const Secret &) const
    {
        return true;
    }

    bool operator!=(const Secret &) const
    {
        return false;
    }
};

int main()
{
    std::basic_string<char, std::char_traits<char>, Secret<char>> word(100, 'x');

    std::printf("contains %d\n", secretmem_contains(word.data()));
    std::printf("version %d.%d\n", SECRETMEM_VERSION_MAJOR, SECRETMEM_VERSION_MINOR);
    return 0;
}
