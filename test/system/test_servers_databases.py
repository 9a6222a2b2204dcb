# SPDX-License-Identifier: Apache-2.0
"""The register: databases, caches and their proxies."""

import sys

from harness import databases, report
from harness.register import serve

REFUSED = ["CRYPTO_set_mem_functions.* are refused.*: libsecretssl's functions stay in use"]


def scenario_mariadb(env, rep):
    serve(env, rep, "MariaDB", databases.MariaDb, says=REFUSED)


def scenario_redis(env, rep):
    serve(env, rep, "Redis", databases.Redis)


def scenario_memcached(env, rep):
    serve(env, rep, "memcached", databases.Memcached)


def scenario_pgbouncer(env, rep):
    serve(env, rep, "PgBouncer", databases.PgBouncer)


def scenario_mysql(env, rep):
    serve(env, rep, "MySQL", databases.MySql, says=REFUSED)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
