# SPDX-License-Identifier: Apache-2.0
"""What each program of the register is put through: load, then a search of its processes for
the key, without the preload and with it. The numbers must be those of the table."""

import json
import os
import subprocess
import time

from . import keys, memory, process, table, tls

LOAD_SECONDS = 1.5


def bear(load, least):
    """Lets the load go on for a while: on a busy machine until there were that many."""
    time.sleep(LOAD_SECONDS)
    process.wait_until(lambda: load.done >= least, 20)


def cached(file):
    done = subprocess.run(["fincore", "--noheadings", "--output", "PAGES", file], check=True,
                          capture_output=True, text=True, timeout=20)
    return int(done.stdout or 0) > 0


def counted(env, rep, identity, pids, title, key_file=None):
    """(processes, copies in them as the scan says: [(encoding, mapping), ...], whether the key
    file is in the kernel's page cache)"""
    in_cache = cached(key_file or identity.key)
    result = process.run(env, [env.tool, "scan", "--json", "--key", identity.key,
                               *map(str, pids)], env.plain(), seconds=120)
    # A worker may end meanwhile, as servers do; what was found is still told.
    rep.ok(result.status in (0, 1, 2) and result.out, f"{title}: scanned", result)
    found = json.loads(result.out)
    searched = [one for one in found["processes"] if one["searched_bytes"] > 0]
    rep.ok(searched, f"{title}: {len(searched)} processes searched", result)
    return len(searched), [(copy["encoding"], copy["mapping"]) for one in searched
                           for copy in one["copies"]], in_cache


def check(env, rep, name, measure, control=True):
    """measure(protected) -> as counted(). What is left must be as the table says. Without
    a control there are no copies at any rate."""
    row = {}
    for protected in False, True:
        number, copies, row["cached"] = measure(protected)
        row["with" if protected else "without"] = len(copies)
        row["processes"] = number
        row["left"] = sorted({f"{encoding} in {mapping}" for encoding, mapping in copies})
        rep.note(f"{name} {protected}: {len(copies)} copies in {number}: {row['left']}")
    if control:
        rep.ok(row["without"] > 0, f"{name}: the control shows {row['without']} copies")
    if os.environ.get("LIBSECRETSSL_TABLE"):
        table.record(os.environ["LIBSECRETSSL_TABLE"], name, row)
        return
    # What is missing there altogether, system.programs.table finds.
    known = table.RESULTS.get(name, {"with": 0})
    rep.equal(row["with"], known["with"], f"{name}: copies with the preload, as the table says")


def with_or_without(name, protected):
    return f"{name} " + ("with the preload" if protected else "without")


def web(env, rep, name, kind, path=b"/", says=()):
    """A server that answers HTTP: under load, then looked at. says: our messages, if any."""
    identity = keys.Identity(env, "rsa")

    def measure(protected):
        title = with_or_without(name, protected)
        server = kind(env, identity, env.chosen(protected))
        client = tls.context(identity)
        first = tls.fetch(server.port, client, path)
        rep.ok(b" 200 " in first.split(b"\r\n", 1)[0] and b"hello" in first, f"{title}: answers",
               first)
        before = set(server.processes())
        with tls.Load(server.port, [client], path=path) as load:
            bear(load, 20)
        rep.ok(load.done >= 20 and not load.failures,
               f"{title}: {load.done} connections under load, none fails", load.failures[:5])
        rep.ok(server.child.pid in server.processes(), f"{title}: it still runs",
               server.log())
        answer = counted(env, rep, identity, server.processes(), title,
                         server.key_file())
        rep.equal(server.deaths(), [], f"{title}: no process died (first {len(before)})")
        result = server.stop()
        rep.ok(result.status in (0, -15, 143, 130), f"{title}: ends when asked", result)
        process.expect_messages(rep, result.messages, says if protected else (), title)
        return answer

    check(env, rep, name, measure)


def stays(server):
    """Its processes, without those that are gone in a moment: the preload's helpers (src/os/helper_process.h)."""
    first = set(server.processes())
    time.sleep(0.1)
    return first & set(server.processes())


class Asked(tls.Load):
    """A load of a service in its own protocol."""

    def __init__(self, server, client):
        super().__init__(server.port, [client], threads=server.threads)
        self.server = server

    def once(self, client):
        try:
            return self.server.ask(client)
        except Exception as failure:
            return repr(failure)


def serve(env, rep, name, kind, says=()):
    """A programs.Service: under load, then looked at while one connection is open. says: the
    patterns of our messages, of which each is met."""
    identity = keys.Identity(env, "rsa")

    def measure(protected):
        title = with_or_without(name, protected)
        server = kind(env, identity, env.chosen(protected))
        client = tls.context(identity)
        rep.equal(server.ask(client), None, f"{title}: answers")
        before = stays(server)
        with Asked(server, client) as load:
            bear(load, 20)
        rep.ok(load.done >= 20 and not load.failures,
               f"{title}: {load.done} connections under load, none fails",
               f"{load.failures[:5]}\n{server.log()[-3000:]}{server.child.err[-3000:]}")
        rep.equal(server.after(client), None, f"{title}: what it does besides")
        held = server.hold(client)
        pids = server.processes()
        lost = before - set(pids) if server.steady else {server.child.pid} - set(pids)
        rep.equal(lost, set(), f"{title}: all of its processes still run")
        rep.equal(any(map(memory.is_protected, pids)), protected, f"{title}: has secret memory, or none")
        answer = counted(env, rep, identity, pids, title, server.key_file())
        held.close()
        rep.equal(server.deaths(), [], f"{title}: no process died")
        result = server.stop()
        rep.ok(result.status in server.ends, f"{title}: ends when asked", result)
        process.expect_messages(rep, [*result.messages, *server.says()],
                                says if protected else (), title)
        return answer

    check(env, rep, name, measure)
