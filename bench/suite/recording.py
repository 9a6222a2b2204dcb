# SPDX-License-Identifier: Apache-2.0
"""Traces of real work: recorded once into the build directory, by bench-recorder.so."""

import glob
import lzma
import os
import shutil
import tempfile

from suite import server_cost
from suite.errors import BenchError

HANDSHAKES = 1000
RESPONSES = 200  # of 1 MiB
VERIFICATIONS = 200
RSA_BITS = 3072
MOST_KEPT = 300_000  # bytes of a compressed trace

TITLES = {
    "handshake": f"{HANDSHAKES:,} TLS 1.3 handshakes in an nginx worker",
    "bulk": f"{RESPONSES} responses of 1 MiB from an nginx worker",
    "keygen": f"generation of an RSA-{RSA_BITS} key",
    "verify": f"{VERIFICATIONS} verifications of a chain of three certificates",
}
NAMES = tuple(TITLES)
# Short traces are replayed more often, so that each process has some tens of milliseconds to do.
REPEATS = {"handshake": 1, "bulk": 4, "keygen": 80, "verify": 2}
KEPT = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "traces")


def path(context, name):
    return os.path.join(context.helpers, "traces", f"{name}.trace")


def kept(name):
    """The copy that comes with the sources, or would."""
    return os.path.join(KEPT, f"{name}.trace.xz")


def check(name):
    if name not in RECORDERS:
        raise BenchError(f"'{name}' is no trace; there are {', '.join(NAMES)}")


def ensure(context, name):
    """Unpacks the trace into the build directory if it is not there; or records it."""
    check(name)
    if os.path.exists(path(context, name)):
        return
    if not os.path.exists(kept(name)):
        record(context, name)
        return
    os.makedirs(os.path.dirname(path(context, name)), exist_ok=True)
    with lzma.open(kept(name)) as packed, open(path(context, name) + ".new", "wb") as to:
        shutil.copyfileobj(packed, to)
    os.replace(path(context, name) + ".new", path(context, name))


def usable(context, name):
    """The name of a trace that is there: NAME, or the short one of a quick run."""
    name = context.effort.trace or name
    ensure(context, name)
    return name


def keep(context, name):
    """Packs a trace into the sources."""
    os.makedirs(KEPT, exist_ok=True)
    with open(path(context, name), "rb") as trace:
        packed = lzma.compress(trace.read(), preset=9 | lzma.PRESET_EXTREME)
    if len(packed) > MOST_KEPT:
        raise BenchError(f"'{name}' takes {len(packed):,} bytes, more than {MOST_KEPT:,}: not kept")
    with open(kept(name), "wb") as file:
        file.write(packed)


def record(context, name):
    """Into the build directory, in place of what is there."""
    check(name)
    os.makedirs(os.path.dirname(path(context, name)), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-record-") as directory:
        os.chmod(directory, 0o1777)  # nginx's worker is another user
        pid = RECORDERS[name](context, directory)
        traces = glob.glob(os.path.join(directory, f"trace.{pid or '*'}"))
        if len(traces) != 1:
            raise BenchError(f"recording '{name}' left {len(traces)} traces, not one")
        shutil.copyfile(traces[0], path(context, name) + ".new")
        os.replace(path(context, name) + ".new", path(context, name))


def _environment(context, directory):
    return {
        **context.environment("without"),
        "LD_PRELOAD": os.path.join(context.helpers, "bench-recorder.so"),
        "BENCH_RECORD": os.path.join(directory, "trace"),
    }


def _served(*arguments, bulk_bytes=0):
    def record(context, directory):
        environment = _environment(context, directory)
        with context.server_with(environment, "p256", bulk_bytes) as server:
            server_cost.load(context, server, *arguments)
            return server.workers[0]

    return record


def _openssl(*arguments):
    def record(context, directory):
        environment = _environment(context, directory)
        context.run([context.openssl, *arguments], environment)

    return record


def _verify(context, directory):
    chain = _chain(context, directory)
    leaves = [chain["leaf"]] * VERIFICATIONS
    _openssl("verify", "-CAfile", chain["root"], "-untrusted", chain["middle"], *leaves)(
        context, directory
    )


def _chain(context, directory):
    """A root (RSA-2048), an intermediate and a leaf (both P-256): paths of the certificates."""
    signer = None
    paths = {}
    for name, key in (("root", "rsa:2048"), ("middle", "ec"), ("leaf", "ec")):
        file = os.path.join(directory, name)
        command = [context.openssl, "req", "-x509", "-nodes", "-newkey", key, "-days", "2"]
        command += ["-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else []
        command += ["-subj", f"/CN={name}", "-keyout", file + ".key", "-out", file + ".crt"]
        if name != "leaf":
            command += ["-addext", "keyUsage=critical,keyCertSign"]
        else:
            command += ["-addext", "basicConstraints=critical,CA:FALSE"]
        if signer:
            command += ["-CA", signer + ".crt", "-CAkey", signer + ".key"]
        context.run(command)
        paths[name] = file + ".crt"
        signer = file
    return paths


RECORDERS = {
    "handshake": _served("handshakes", HANDSHAKES, 1),
    "bulk": _served("bulk", RESPONSES, server_cost.MIB, "/bulk", bulk_bytes=server_cost.MIB),
    "keygen": _openssl("genrsa", str(RSA_BITS)),
    "verify": _verify,
}
