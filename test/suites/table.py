# SPDX-License-Identifier: Apache-2.0
"""The test suites of other projects that are run without the preload and with it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Suite:
    """A row. scripts/NAME builds it, runs it, and prints its version."""

    title: str
    results: str  # the format of what the suite leaves: a function of results.py
    source: str = ""  # the source package of Debian that has the suite
    release: str = ""  # the release with that package; the machine's own if empty
    given: str = ""  # Debian does not have the suite: the variable that names its directory
    script: str = ""  # if it is not the row's name
    user: str = "root"  # some suites refuse to run as root
    require: bool = True  # SECRETSSL_REQUIRE=1


# Tests of OpenSSL's internals contain libcrypto.a, which cannot be reached, and would be refused.
SUITES = {
    "cpython": Suite("CPython: TLS and hashes", "junit"),
    "net-ssleay": Suite("Net::SSLeay", "tap", source="libnet-ssleay-perl"),
    "io-socket-ssl": Suite("IO::Socket::SSL", "tap", source="libio-socket-ssl-perl"),
    "nginx": Suite("nginx-tests: TLS, HTTP/2, stream, mail", "tap", given="LIBSECRETSSL_NGINX_TESTS", user="nobody"),
    "postgresql": Suite("PostgreSQL: `ssl`", "tap", source="postgresql-15", release="bookworm", user="nobody"),
    "curl": Suite("curl: TLS", "curl", source="curl", user="nobody"),
    "openssl-3.0": Suite("OpenSSL 3.0", "tap", source="openssl", release="bookworm", script="openssl", require=False),
    "openssl-3.5": Suite("OpenSSL 3.5", "tap", source="openssl", release="trixie", script="openssl", require=False),
}
