# SPDX-License-Identifier: Apache-2.0
# The Description fields: a summary, and lines that packages.cmake puts below one another.
set(why "OpenSSL keeps private keys, session secrets and record buffers on the heap,
where root, a debugger, a core dump or a bug that reads too far finds them.
With memfd_secret(2) Linux gives a process memory whose pages the kernel
removes from its own map, so that only the process itself can read them.")

set(CPACK_DEBIAN_PRELOAD_DESCRIPTION "OpenSSL's memory in secret memory, by a preload
${why}

This package has the preload object, which places every allocation of
OpenSSL in such memory. Programs need not be rebuilt. Each forked child has
its own copy, and memory is zeroed when it is freed.")

set(CPACK_DEBIAN_LIBRARY_DESCRIPTION "malloc on memory that other processes cannot read
${why}

This package has the shared library libsecretmem: an allocator of such
memory for programs that call it.")

set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "malloc on memory that other processes cannot read: development
${why}

This package has the files for building programs with libsecretmem: the
header, the static library, files for pkg-config and CMake, and examples
in C and C++.")

set(CPACK_DEBIAN_TOOL_DESCRIPTION "run programs with OpenSSL's memory in secret memory
${why}

This package has the command line tool, which runs programs with the
preload object of libsecretssl0 (run), tells whether a machine can protect
secrets and what to change (doctor), shows live figures of protected
processes, for Prometheus as well (stat), and searches the memory of
processes for copies of their private keys (scan).")
