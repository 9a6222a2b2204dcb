# SPDX-License-Identifier: Apache-2.0
"""The register: web servers, a proxy, and what php-fpm's scripts do with TLS."""

import sys

from harness import report, web
from harness.register import serve


def scenario_lighttpd(env, rep):
    """It asks for kernel TLS by itself."""
    serve(env, rep, "lighttpd", web.Lighttpd, says=["kernel TLS is refused"])


def scenario_gunicorn(env, rep):
    serve(env, rep, "gunicorn", web.Gunicorn)


def scenario_hitch(env, rep):
    serve(env, rep, "hitch", web.Hitch)


def scenario_php_fpm(env, rep):
    """A TLS client with a certificate, in each of its workers."""
    serve(env, rep, "php-fpm, client certificate", web.PhpFpm)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
