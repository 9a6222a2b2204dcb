# SPDX-License-Identifier: Apache-2.0
"""Secret memory for Python, by ctypes: blocks, arenas, sealed ones, descriptors and files of libsecretmem.

Python's own objects (bytes, str, int) lie in ordinary memory. So secrets are not objects here but addresses: a
Block is written by C functions that get its address, or through view(), byte by byte. Whoever makes bytes of
a block has a copy that nothing clears.

    key, cached = secretmem.read_file("/etc/app/key")
    with secretmem.Arena(4096, secretmem.SEALED) as arena:
        block = arena.malloc(32)
        with arena.access():
            libcrypto.RAND_bytes(block.address, 32)

Errors of the library are OSError with its errno, lack of memory MemoryError.
"""

import contextlib
import ctypes
import errno
import os

REQUIRE, FORK_DENY, SEALED = 1, 2, 4
DROPPED, CACHED, UNKNOWN = 0, 1, 2
NOT_SEALED, SEALED_BY_MPROTECT, SEALED_BY_KEY = 0, 1, 2

_lib = ctypes.CDLL("libsecretmem.so.0", use_errno=True)


def _function(name, result, *arguments):
    function = getattr(_lib, name)
    function.restype, function.argtypes = result, arguments
    return function


_pointer, _size, _int = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
_configure = _function("secretmem_configure", _int, ctypes.c_char_p, ctypes.c_char_p)
_strerror = _function("secretmem_strerror", ctypes.c_char_p, _int)
_malloc = _function("secretmem_malloc", _pointer, _size)
_free = _function("secretmem_free", None, _pointer)
_contains = _function("secretmem_contains", _int, _pointer)
_arena_create = _function("secretmem_arena_create", _pointer, _size, ctypes.c_uint)
_arena_destroy = _function("secretmem_arena_destroy", _int, _pointer)
_arena_malloc = _function("secretmem_arena_malloc", _pointer, _pointer, _size)
_arena_get_stats = _function("secretmem_arena_get_stats", _int, _pointer, _pointer, _size)
_begin = _function("secretmem_begin", _int, _pointer)
_end = _function("secretmem_end", _int, _pointer)
_read_file = _function("secretmem_read_file", _int, _pointer, ctypes.c_char_p, _size, ctypes.POINTER(_pointer),
                       ctypes.POINTER(_size))
_fd_create = _function("secretmem_fd_create", _int, _size)
_fd_map = _function("secretmem_fd_map", _pointer, _int, ctypes.POINTER(_size))
_fd_unmap = _function("secretmem_fd_unmap", _int, _pointer)
_fd_send = _function("secretmem_fd_send", _int, _int, _int)
_fd_receive = _function("secretmem_fd_receive", _int, _int)


def _failed(what):
    number = ctypes.get_errno()
    if number == errno.ENOMEM:
        return MemoryError(what)
    return OSError(number, os.strerror(number), what)


def configure(name, value):
    """As secretmem_configure(3), before the first block: ValueError if it is refused."""
    result = _configure(name.encode(), value.encode())
    if result:
        raise ValueError(f"{name}={value}: {_strerror(result).decode()}")


def contains(address):
    """Whether an address lies in secret memory."""
    return bool(_contains(address))


def use_for_libcrypto(libcrypto):
    """Has a libcrypto allocate in secret memory. It must be new: no other module may have used it, as ssl and
    hashlib do. RuntimeError if it is not."""
    def address(name):
        return ctypes.cast(getattr(_lib, name), _pointer)
    libcrypto.CRYPTO_set_mem_functions.argtypes = [_pointer] * 3
    # The two arguments more, file and line, are for none of them.
    if libcrypto.CRYPTO_set_mem_functions(address("secretmem_malloc"), address("secretmem_realloc"),
                                          address("secretmem_free")) != 1:
        raise RuntimeError("libcrypto has allocated already: import this before ssl and hashlib")


class _Owner:
    """What close() gives back, also at the end of a `with` or of the object."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()


class _Memory(_Owner):
    """An address and a size."""

    def __init__(self, address, size):
        self.address, self.size = address, size

    def view(self):
        """The bytes in place, as a memoryview: an access beyond the end is an error, one after close() is not seen."""
        if self.address is None:
            raise ValueError("it is closed")
        return memoryview((ctypes.c_ubyte * self.size).from_address(self.address)).cast("B")

    def close(self):
        """Gives the memory back. Twice is once."""
        address, self.address = self.address, None
        if address is not None:
            self._give_back(address)

    def _give_back(self, address):
        raise NotImplementedError


class Block(_Memory):
    """A block; cleared and freed by close(), by `with`, or with the object."""

    def __init__(self, size, *, address=None, arena=None):
        super().__init__(None, size)
        self.arena = arena  # keeps it for as long as the block
        self.address = address or _malloc(size)
        if not self.address:
            raise _failed("secretmem_malloc")

    def _give_back(self, address):
        # Its arena is gone with all blocks if it was closed.
        if self.arena is None or self.arena.handle is not None:
            _free(address)


class _Stats(ctypes.Structure):
    _fields_ = [("size", _size), ("capacity_bytes", ctypes.c_uint64), ("used_bytes", ctypes.c_uint64),
                ("blocks", ctypes.c_uint64), ("opened", ctypes.c_uint32), ("secret", ctypes.c_uint32),
                ("seal", ctypes.c_uint32), ("reserved", ctypes.c_uint32)]


class Arena(_Owner):
    """An arena of its own; destroyed with all its blocks by close(), by `with`, or with the object."""

    def __init__(self, size, flags=0):
        self.handle = _arena_create(size, flags)
        if not self.handle:
            raise _failed("secretmem_arena_create")

    def malloc(self, size):
        address = _arena_malloc(self.handle, size)
        if not address:
            raise _failed("secretmem_arena_malloc")
        return Block(size, address=address, arena=self)

    def stats(self):
        now = _Stats()
        if _arena_get_stats(self.handle, ctypes.byref(now), ctypes.sizeof(now)):
            raise _failed("secretmem_arena_get_stats")
        return {name: getattr(now, name) for name, _ in _Stats._fields_ if name not in ("size", "reserved")}

    @contextlib.contextmanager
    def access(self):
        """Access to a sealed arena, of this thread, for the statements of a `with`."""
        if _begin(self.handle):
            raise _failed("secretmem_begin")
        try:
            yield self
        finally:
            if _end(self.handle):
                raise _failed("secretmem_end")

    def close(self):
        handle, self.handle = getattr(self, "handle", None), None
        if handle and _arena_destroy(handle):
            self.handle = handle
            raise _failed("secretmem_arena_destroy")


def read_file(path, most=1 << 20, arena=None):
    """(Block, result): the contents of a file, and DROPPED, CACHED or UNKNOWN of the kernel's copy."""
    address, size = _pointer(), _size()
    result = _read_file(arena.handle if arena else None, os.fsencode(path), most, ctypes.byref(address),
                        ctypes.byref(size))
    if result < 0:
        raise _failed(path)
    return Block(size.value, address=address.value, arena=arena), result


class Mapping(_Memory):
    """Secret memory of a descriptor, mapped here."""

    def __init__(self, fd):
        super().__init__(None, 0)
        size = _size()
        self.address = _fd_map(fd, ctypes.byref(size))
        if not self.address:
            raise _failed("secretmem_fd_map")
        self.size = size.value

    def _give_back(self, address):
        _fd_unmap(address)


def create_fd(size):
    """A descriptor of new secret memory, not mapped. Close it by os.close()."""
    fd = _fd_create(size)
    if fd < 0:
        raise _failed("secretmem_fd_create")
    return fd


def send_fd(sock, fd):
    """Sends one over a Unix socket (an object with fileno())."""
    if _fd_send(sock.fileno(), fd):
        raise _failed("secretmem_fd_send")


def receive_fd(sock):
    """Receives one. It is not mapped."""
    fd = _fd_receive(sock.fileno())
    if fd < 0:
        raise _failed("secretmem_fd_receive")
    return fd
