/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file secretmem.hpp
 * The types of secretmem.h for C++11 and later: an allocator, and owners of blocks, arenas,
 * accesses, descriptors and mappings. All of it is inline; what it calls is in libsecretmem.
 *
 * Where a function of secretmem.h fails with errno, these throw std::system_error, and
 * std::bad_alloc where there is no memory. Thread-safety and fork are as in secretmem.h. Since
 * 0.1.
 *
 * Do not use the allocator with std::basic_string: short strings lie in the string object
 * itself, wherever that is. secretmem::bytes is for texts, too.
 */
#ifndef SECRETMEM_HPP
#define SECRETMEM_HPP

#include <secretmem.h>

#include <cerrno>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <system_error>
#include <type_traits>
#include <unistd.h>
#include <utility>
#include <vector>

namespace secretmem
{

namespace detail
{
/* Throws for errno. */
[[noreturn]] inline void fail(const char *what)
{
    if (errno == ENOMEM)
        throw std::bad_alloc();
    throw std::system_error(errno, std::generic_category(), what);
}
} // namespace detail

/** An arena of the program's own. Movable; the last owner destroys it with all its blocks. */
class arena
{
  public:
    /** @param flags SECRETMEM_ARENA_…; @throws std::system_error, std::bad_alloc */
    explicit arena(std::size_t size, unsigned flags = 0)
        : handle_(secretmem_arena_create(size, flags))
    {
        if (!handle_)
            detail::fail("secretmem_arena_create");
    }

    arena(arena &&other) noexcept : handle_(other.handle_)
    {
        other.handle_ = nullptr;
    }

    arena &operator=(arena &&other) noexcept
    {
        std::swap(handle_, other.handle_);
        return *this;
    }

    arena(const arena &) = delete;
    arena &operator=(const arena &) = delete;

    /** Ends the program if a thread has access to it still. */
    ~arena()
    {
        if (handle_ && secretmem_arena_destroy(handle_) != 0)
            std::terminate();
    }

    /** The handle for the functions of secretmem.h. It stays this object's. */
    secretmem_arena *get() const noexcept
    {
        return handle_;
    }

    secretmem_arena_stats stats() const
    {
        secretmem_arena_stats now;

        if (secretmem_arena_get_stats(handle_, &now, sizeof(now)) != 0)
            detail::fail("secretmem_arena_get_stats");
        return now;
    }

  private:
    secretmem_arena *handle_;
};

/** Access to a sealed arena, for as long as the object lives. Stays in its thread. */
class access
{
  public:
    explicit access(const arena &of) : handle_(of.get())
    {
        if (secretmem_begin(handle_) != 0)
            detail::fail("secretmem_begin");
    }

    access(const access &) = delete;
    access &operator=(const access &) = delete;

    /** Ends the program if the access cannot be ended, because the secrets stay open then. */
    ~access()
    {
        if (secretmem_end(handle_) != 0)
            std::terminate();
    }

  private:
    secretmem_arena *handle_;
};

/**
 * An allocator for containers: of the heap, or of an arena, which must outlive its containers.
 * Freed memory is cleared. A container in a sealed arena needs an access for each operation.
 */
template <class T> class allocator
{
  public:
    using value_type = T;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;

    allocator() noexcept = default;

    explicit allocator(const arena &of) noexcept : arena_(of.get())
    {
    }

    template <class U> allocator(const allocator<U> &other) noexcept : arena_(other.of())
    {
    }

    T *allocate(std::size_t count)
    {
        static_assert(alignof(T) <= 16, "blocks are aligned to 16 bytes");
        void *p = nullptr;

        if (count <= static_cast<std::size_t>(-1) / sizeof(T))
            p = arena_ ? secretmem_arena_malloc(arena_, count * sizeof(T))
                       : secretmem_malloc(count * sizeof(T));
        if (!p)
            throw std::bad_alloc();
        return static_cast<T *>(p);
    }

    void deallocate(T *p, std::size_t) noexcept
    {
        secretmem_free(p);
    }

    /** The arena, or nullptr for the heap. */
    secretmem_arena *of() const noexcept
    {
        return arena_;
    }

  private:
    secretmem_arena *arena_ = nullptr;
};

template <class T, class U>
bool operator==(const allocator<T> &a, const allocator<U> &b) noexcept
{
    return a.of() == b.of();
}

template <class T, class U>
bool operator!=(const allocator<T> &a, const allocator<U> &b) noexcept
{
    return !(a == b);
}

/** Bytes in secret memory, however few they are. */
using bytes = std::vector<unsigned char, allocator<unsigned char>>;

/** Frees, and so clears, what make() allocated. */
struct deleter {
    template <class T> void operator()(T *p) const noexcept
    {
        p->~T();
        secretmem_free(p);
    }
};

/** The owner of an object in secret memory. Members that allocate need the allocator. */
template <class T> using unique = std::unique_ptr<T, deleter>;

/** Makes an object in an arena. */
template <class T, class... Arguments>
unique<T> make_in(const arena &of, Arguments &&...arguments)
{
    allocator<T> memory(of);
    T *p = memory.allocate(1);

    try {
        return unique<T>(::new (static_cast<void *>(p))
                             T(std::forward<Arguments>(arguments)...));
    } catch (...) {
        memory.deallocate(p, 1);
        throw;
    }
}

/** Makes an object in the heap. */
template <class T, class... Arguments> unique<T> make(Arguments &&...arguments)
{
    allocator<T> memory;
    T *p = memory.allocate(1);

    try {
        return unique<T>(::new (static_cast<void *>(p))
                             T(std::forward<Arguments>(arguments)...));
    } catch (...) {
        memory.deallocate(p, 1);
        throw;
    }
}

/** The contents of a file, and what became of the kernel's copy: secretmem_read_file(). */
class file
{
  public:
    explicit file(const char *path, std::size_t most = 1 << 20, const arena *in = nullptr)
    {
        void *block = nullptr;
        int result = secretmem_read_file(in ? in->get() : nullptr, path, most, &block, &size_);

        if (result < 0)
            detail::fail(path);
        data_.reset(static_cast<unsigned char *>(block));
        kept_ = static_cast<secretmem_file>(result);
    }

    const unsigned char *data() const noexcept
    {
        return data_.get();
    }

    /** Bytes, without the zero byte behind them. */
    std::size_t size() const noexcept
    {
        return size_;
    }

    /** Whether the kernel's page cache has a copy. */
    secretmem_file kept() const noexcept
    {
        return kept_;
    }

  private:
    unique<unsigned char> data_;
    std::size_t size_ = 0;
    secretmem_file kept_ = SECRETMEM_FILE_UNKNOWN;
};

/** A descriptor of secret memory, not mapped here. Movable; closed at the end. */
class descriptor
{
  public:
    /** Makes secret memory. */
    explicit descriptor(std::size_t size) : fd_(secretmem_fd_create(size))
    {
        if (fd_ < 0)
            detail::fail("secretmem_fd_create");
    }

    /** Receives secret memory over a Unix socket. */
    static descriptor receive(int socket)
    {
        int fd = secretmem_fd_receive(socket);

        if (fd < 0)
            detail::fail("secretmem_fd_receive");
        return descriptor(owned{fd});
    }

    void send(int socket) const
    {
        if (secretmem_fd_send(socket, fd_) != 0)
            detail::fail("secretmem_fd_send");
    }

    descriptor(descriptor &&other) noexcept : fd_(other.fd_)
    {
        other.fd_ = -1;
    }

    descriptor &operator=(descriptor &&other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }

    descriptor(const descriptor &) = delete;
    descriptor &operator=(const descriptor &) = delete;

    ~descriptor()
    {
        if (fd_ >= 0)
            close(fd_);
    }

    int get() const noexcept
    {
        return fd_;
    }

  private:
    struct owned {
        int fd;
    };

    explicit descriptor(owned one) noexcept : fd_(one.fd)
    {
    }

    int fd_;
};

/** Secret memory of a descriptor, mapped here. Movable; unmapped at the end. */
class mapping
{
  public:
    explicit mapping(const descriptor &of)
        : data_(static_cast<unsigned char *>(secretmem_fd_map(of.get(), &size_)))
    {
        if (!data_)
            detail::fail("secretmem_fd_map");
    }

    mapping(mapping &&other) noexcept : size_(other.size_), data_(other.data_)
    {
        other.data_ = nullptr;
    }

    mapping &operator=(mapping &&other) noexcept
    {
        std::swap(size_, other.size_);
        std::swap(data_, other.data_);
        return *this;
    }

    mapping(const mapping &) = delete;
    mapping &operator=(const mapping &) = delete;

    ~mapping()
    {
        secretmem_fd_unmap(data_);
    }

    unsigned char *data() const noexcept
    {
        return data_;
    }

    std::size_t size() const noexcept
    {
        return size_;
    }

  private:
    std::size_t size_ = 0;
    unsigned char *data_;
};

} // namespace secretmem

#endif
