# SPDX-License-Identifier: Apache-2.0
"""The systems that the project is shown on: what each root is made from, and what runs in it."""

from dataclasses import dataclass

UNIT = r"unit\."
HOOKS = r"system\.hooks\."
OPENSSL = (
    r"system\.s_server\.(tls12|tls13|client)|system\.programs\.s_server$|system\.clients\.openssl_commands$"
    r"|system\.lattice\."
)
SERVERS = (
    r"system\.programs\.(nginx|apache_prefork|apache_event|haproxy|stunnel|postgresql|curl|node"
    r"|python_fork|python_multiprocessing)$|system\.nginx\.load_reload_kill$|system\.quic\."
)
# What the operating system and libcrypto decide together: settings, forks, and loading late
CORNERS = r"system\.(hooks|fork|degrade|stat|metrics|scan|secure_heap|key_file)\."
AWS_LC = r"system\.aws_lc\."
# What depends on the processor: system calls, the assembly, pages, forks and what the linker does
ARCHITECTURE = (
    r"system\.(s_server\.(tls12_rsa|tls13_ecdsa)|programs\.(nginx|haproxy)$|nginx\.load_reload_kill$"
    r"|fork\.(storm|torn_objects|by_syscall|unannounced|signal_handler|in_async_job|descriptors|filtered)$"
    r"|arrive\.(nothing|late|shim|passed_on|names|origin|threads|boringssl_by_name|whose_user)$"
    r"|hooks\.(contract|foreign_pointers|small_stack|unwound)$"
    r"|settings\.(good_values|zero|uncached)$|degrade\.(memlock_none|filters|filter_that_kills|full_arena)$"
    r"|doctor\.(works|memlock)$|stat\.(figures|forked|degraded|blocks)$|scan\.|strict\.strict$"
    r"|corners\.(raw_filter|stream|locked|handlers)$|partitions\.private_numbers$"
    r"|bugs\.(double_free|write_after_free|overrun|guard|underrun|threads)$)"
)
# What depends on the size of a page
PAGES = r"system\.(s_server\.tls13_ecdsa$|fork\.storm$|degrade\.memlock_none$|doctor\.works$)"


@dataclass(frozen=True)
class Machine:
    """An emulated machine of another architecture, with the release of Debian in which the project is built."""

    kernel: str = ""  # a regular expression: the release of one of Debian's kernels (disks.KERNELS)
    built: str = ""  # or the path of a kernel without modules in the root in which the project is built
    settings: str = ""  # more for the kernel's command line
    architecture: str = "arm64"  # as Debian names it
    triplet: str = "aarch64-linux-gnu"
    memory: str = "3G"


@dataclass(frozen=True)
class Row:
    suite: str = ""  # of the archive
    extra: str = ""  # a suite that single packages come from
    packages: tuple = ()  # more of them, from there
    tests: tuple = (UNIT, OPENSSL, SERVERS, CORNERS)
    security: bool = True  # has updates
    packs: bool = False  # makes the packages
    installs: bool = False  # tests the packages that another row made
    base: str = ""  # the row whose root this one's lies above
    prepare: tuple = ()  # a script of prepare/ and its arguments, which runs in the root once
    settings: tuple = ()  # of the build, for cmake
    purpose: str = "matrix"  # of scripts/setup: what is installed there
    foreign: tuple = ()  # architectures whose packages are there too
    machine: Machine | None = None  # where the tests run, if not here
    published: bool = True  # has a column in docs/systems.md
    variables: tuple = ()  # of the environment, NAME=VALUE
    without: tuple = ()  # tests that cannot hold there

    @property
    def expression(self):
        return "^(" + "|".join(self.tests) + ")"

    @property
    def exclusion(self):
        return "^(" + "|".join(self.without) + ")$"


# An OpenSSL that the project is built with, and whose program the tests find first. The servers of the
# release stay linked with the release's own.
BUILT = {
    "tests": (UNIT, OPENSSL, CORNERS),
    "settings": ("-DOPENSSL_ROOT_DIR=/usr/local/openssl",),
    "variables": ("LIBSECRETSSL_TEST_NAMELESS=/usr/local/openssl",),
    # It names no files: key bytes are not told from other secrets (SECRETSSL_FORK=deny, uncached memory), and the
    # secure heap of one that was opened with RTLD_DEEPBIND is not noticed.
    "without": (
        r"system\.fork\.deny",
        r"system\.stat\.uncached_(bytes|gone)",
        r"system\.secure_heap\.beyond_reach",
    ),
}

ROWS = {
    "bookworm": Row("bookworm", packs=True),
    "trixie": Row("trixie", installs=True),
    "sid": Row("sid", security=False),
    # Servers there are linked with the libssl of sid, so that only OpenSSL's own programs are of 4.0.
    "sid-libssl4": Row(
        "sid",
        "experimental",
        ("openssl", "libssl-dev"),
        (UNIT, OPENSSL, CORNERS),
        security=False,
    ),
    "built": Row(**BUILT, base="trixie", prepare=("openssl",)),
    "built-symbolic": Row(**BUILT, base="built", prepare=("symbolic",)),
    "aws-lc": Row(
        base="sid",
        prepare=("aws-lc",),
        tests=(AWS_LC,),
        settings=("-DSECRETSSL_AWS_LC=/opt/aws-lc",),
    ),
    "arm64": Row(base="cross-arm64", tests=(UNIT, ARCHITECTURE), machine=Machine(r".*-arm64")),
    # Not run yet
    "arm64-16k": Row(base="cross-arm64", tests=(UNIT, PAGES), machine=Machine(r".*-arm64-16k"), published=False),
    "arm64-64k": Row(
        base="kernel-64k",
        tests=(UNIT, PAGES),
        machine=Machine(built="usr/local/share/kernel"),
    ),
    # With a map of memory of which no page can be taken out
    "arm64-blocks": Row(
        base="cross-arm64",
        tests=(r"system\.machine\.blocks$",),
        machine=Machine(r".*-arm64", settings="rodata=on kfence.sample_interval=100"),
    ),
}

LIBRARIES = ("libc6-dev", "libcriterion-dev", "libjansson-dev", "libssl-dev", "libunwind-dev", "libzstd-dev", "zlib1g-dev")
# Roots in which the project is built for another architecture
BUILDERS = {
    "cross-arm64": Row(
        "trixie",
        packages=(
            *("cmake", "gcc", "gcc-aarch64-linux-gnu", "libc6-dev", "ninja-build", "pkg-config", "python3"),
            *(f"{name}:arm64" for name in LIBRARIES),
        ),
        purpose="",
        foreign=("arm64",),
    ),
    "kernel-64k": Row(base="cross-arm64", prepare=("kernel-64k",)),
}
