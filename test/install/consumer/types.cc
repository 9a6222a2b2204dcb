// SPDX-License-Identifier: Apache-2.0
// The types of secretmem.hpp, each used as it is meant to be and once as it is not.
#include <secretmem.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                       \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            std::exit(1);                                                                      \
        }                                                                                      \
    } while (0)

template <class Error, class Action> static bool throws(Action action)
{
    try {
        action();
    } catch (const Error &) {
        return true;
    }
    return false;
}

static void allocators()
{
    secretmem::arena arena(16384);
    secretmem::bytes heap{1, 2, 3};
    secretmem::bytes own(secretmem::allocator<unsigned char>{arena});
    using pair = std::pair<const int, int>;
    std::map<int, int, std::less<int>, secretmem::allocator<pair>> map{
        secretmem::allocator<pair>(arena)};

    own.assign({4, 5});
    CHECK(secretmem_contains(heap.data()) && secretmem_contains(own.data()));
    map[1] = 2;
    CHECK(secretmem_contains(&map[1]) && arena.stats().blocks == 2);
    CHECK(heap.get_allocator() != own.get_allocator());
    heap = own;
    CHECK(heap[1] == 5 && heap.get_allocator().of() == nullptr);
    heap = std::move(own);
    CHECK(heap[1] == 5 && heap.get_allocator().of() == arena.get());
    CHECK(throws<std::bad_alloc>([&] { heap.resize(100000); }) && heap.size() == 2);
    heap = secretmem::bytes();
    map.clear();
    CHECK(arena.stats().blocks == 0);
}

static int alive;

struct counted {
    explicit counted(bool good) : text{}
    {
        if (!good)
            throw 7;
        alive++;
    }
    ~counted()
    {
        alive--;
    }
    char text[100];
};

static void objects()
{
    secretmem::arena arena(4096);

    {
        auto one = secretmem::make<counted>(true);
        auto two = secretmem::make_in<counted>(arena, true);
        CHECK(alive == 2 && secretmem_contains(one.get()) && arena.stats().blocks == 1);
        CHECK(throws<int>([&] { secretmem::make_in<counted>(arena, false); }));
        CHECK(throws<int>([] { secretmem::make<counted>(false); }));
    }
    CHECK(alive == 0 && arena.stats().blocks == 0);
}

static void arenas()
{
    secretmem::arena one(4096, SECRETMEM_ARENA_SEALED), two(std::move(one));
    auto key = secretmem::make_in<int>; // only instantiated
    int null = open("/dev/null", O_WRONLY), pipes[2];
    unsigned char *p = static_cast<unsigned char *>(secretmem_arena_malloc(two.get(), 10));

    (void)key;
    CHECK(one.get() == nullptr && pipe(pipes) == 0 && null >= 0);
    CHECK(write(pipes[1], p, 1) == -1);
    {
        secretmem::access outer(two), inner(two);
        CHECK(two.stats().opened == 2 && write(pipes[1], p, 1) == 1);
    }
    CHECK(write(pipes[1], p, 1) == -1);
    one = std::move(two);
    CHECK(one.stats().blocks == 1);
    CHECK(throws<std::system_error>([] { secretmem::arena(0); }));
    secretmem::arena plain(4096);
    CHECK(throws<std::system_error>([&] { secretmem::access no(plain); }));
}

static void descriptors()
{
    int sockets[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    if (fork() == 0) {
        secretmem::descriptor mine(100);
        secretmem::mapping memory(mine);
        std::strcpy(reinterpret_cast<char *>(memory.data()), "of the child");
        mine.send(sockets[1]);
        _exit(0);
    }
    auto theirs = secretmem::descriptor::receive(sockets[0]);
    secretmem::mapping memory(theirs), moved(std::move(memory));
    CHECK(moved.size() >= 100 &&
          std::strcmp(reinterpret_cast<char *>(moved.data()), "of the child") == 0);
    CHECK(wait(nullptr) > 0);
    CHECK(throws<std::system_error>([] { secretmem::descriptor none(0); }));
    close(sockets[1]);
    CHECK(throws<std::system_error>([&] { secretmem::descriptor::receive(sockets[0]); }));
}

static void files()
{
    secretmem::file self("/proc/self/exe", 1 << 30);

    CHECK(self.size() > 4 && std::memcmp(self.data(), "\177ELF", 4) == 0);
    CHECK(secretmem_contains(self.data()));
    CHECK(throws<std::system_error>([] { secretmem::file none("/no/such/file"); }));
    CHECK(throws<std::system_error>([] { secretmem::file large("/proc/self/exe", 1); }));
}

int main()
{
    allocators();
    objects();
    arenas();
    descriptors();
    files();
    std::puts("all types work");
    return 0;
}
