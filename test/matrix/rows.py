# SPDX-License-Identifier: Apache-2.0
"""The systems that the project is shown on: what each root is made from, and what runs in it."""

from dataclasses import dataclass

UNIT = r"unit\."
OPENSSL = r"system\.s_server\.(tls12|tls13|client)|system\.programs\.s_server$|system\.clients\.openssl_commands$"
SERVERS = (
    r"system\.programs\.(nginx|apache_prefork|apache_event|haproxy|stunnel|postgresql|curl|node"
    r"|python_fork|python_multiprocessing)$|system\.nginx\.load_reload_kill$|system\.quic\."
)
# What the operating system and libcrypto decide together: settings, forks, and loading late
CORNERS = r"system\.(hooks|fork|degrade|stat|scan|secure_heap|key_file)\."
AWS_LC = r"system\.aws_lc\."


@dataclass(frozen=True)
class Row:
    suite: str = ""  # of the archive
    extra: str = ""  # a suite that single packages come from
    packages: tuple = ()  # from there
    tests: tuple = (UNIT, OPENSSL, SERVERS, CORNERS)
    security: bool = True  # has updates
    packs: bool = False  # makes the packages
    installs: bool = False  # tests the packages that another row made
    base: str = ""  # the row whose root this one's lies above
    prepare: tuple = ()  # a script of prepare/ and its arguments, which runs in the root once
    settings: tuple = ()  # of the build, for cmake
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
}
