# SPDX-License-Identifier: Apache-2.0
# The Description fields: a summary, and lines that packages.cmake puts below one another.
set(why "OpenSSL keeps private keys, session secrets and record buffers on the heap,
where root, a debugger, a core dump or a bug that reads too far finds them.
Linux gives a process memory, by memfd_secret(2), whose pages the kernel
takes out of its own map: nobody but the process itself reads it.")

set(CPACK_DEBIAN_PRELOAD_DESCRIPTION "OpenSSL's memory in secret memory, by a preload
${why}

This package has the preload object, which puts every allocation of OpenSSL
there, in programs that need not be built again. Each forked child has a
copy of its own, and freed memory is cleared.")

set(CPACK_DEBIAN_LIBRARY_DESCRIPTION "malloc on memory that nobody else can read
${why}

This package has the shared library libsecretmem: an allocator of such
memory for programs that ask for it.")

set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "malloc on memory that nobody else can read: development
${why}

This package has what building programs with libsecretmem takes: the
header, the static library, files for pkg-config and CMake, and examples
in C and C++.")

set(CPACK_DEBIAN_TOOL_DESCRIPTION "run programs with OpenSSL's memory in secret memory
${why}

This package has the command line tool, which runs programs with the
preload object of libsecretssl0 (run), says whether a machine can protect
secrets and what to change (doctor), shows live figures of protected
processes, for Prometheus as well (stat), and searches the memory of
processes for copies of their private keys (scan).")
