# SPDX-License-Identifier: Apache-2.0
"""nginx with four workers: under load, reloads, kills, and a binary upgrade."""

import os
import signal
import sys
import time

from harness import keys, memory, process, report, tls
from harness.nginx import Nginx

# The load lasts so long at least, and on a slow machine until it has come to this much.
LOAD_SECONDS, LOAD_MOST_SECONDS = 10, 150
LOAD_CONNECTIONS, LOAD_KILLS = 200, 4


def contexts(identities):
    # Each client trusts one certificate, so half of the handshakes is RSA and half ECDSA.
    made = []
    for identity in identities:
        for version in tls.VERSIONS:
            client = tls.context(identity, version)
            if version == "1.2":
                client.set_ciphers("aRSA" if identity.kind == "rsa" else "aECDSA")
            else:
                client.check_hostname = False
                client.load_verify_locations(identities[0].certificate)
                client.load_verify_locations(identities[1].certificate)
            made.append(client)
    return made


def disturb(server, load):
    """Reloads and kills workers in turn while the load runs; (pid, before, after) of each killed."""
    kills, begin = [], time.monotonic()
    while True:
        seconds = time.monotonic() - begin
        enough = load.done > LOAD_CONNECTIONS and len(kills) > LOAD_KILLS
        if seconds > LOAD_MOST_SECONDS or enough and seconds > LOAD_SECONDS:
            break
        server.reload()
        time.sleep(0.3)
        for victim in server.workers()[:2]:
            if times := process.kill(victim):
                kills.append((victim, *times))
            time.sleep(0.2)
        process.wait_until(lambda: len(server.workers()) >= 4)
    return kills


def under_load(env, rep, protected):
    identities = [keys.Identity(env, "rsa"), keys.Identity(env, "ecdsa")]
    server = Nginx(env, identities, env.chosen(protected))
    with tls.Load(server.port, contexts(identities)) as load:
        kills = disturb(server, load)
    killed = {pid for pid, _, _ in kills}
    settled = process.wait_until(lambda: server.settled(killed), 60)
    rep.ok(settled, "in the end four workers serve", server.log()[-1000:])
    # A worker of the old generation may have been done in the moment it was killed.
    killed -= server.done()
    rep.note(f"{load.done} connections, {len(kills)} workers killed, "
             f"{len(load.failures)} connections failed")
    rep.ok(load.done > LOAD_CONNECTIONS and len(kills) > LOAD_KILLS,
           "there was load, and workers were killed")
    others = [(str(error), round(end - begin, 3)) for begin, end, error in load.failures
              if not any(begin <= after and before <= end for _, before, after in kills)]
    rep.ok(not others, "no connection fails but those open when a worker was killed", others[:10])
    rep.ok(len(load.failures) <= 2 * len(kills), "and of those only what that worker held",
           len(load.failures))
    wrong = [(pid, number) for pid, number in server.deaths()
             if number != signal.SIGKILL or pid not in killed]
    rep.ok(not wrong, "no worker dies of a signal but the killed", wrong)
    rep.equal({pid for pid, _ in server.deaths()}, killed, "the log names each that was killed")
    grave = server.grave(killed)
    rep.ok(not grave, "no alert or emerg but for the killed", "\n".join(grave[:10]))

    everyone = [server.master, *server.workers()]
    memory.check_scan(env, rep, [one.key for one in identities], everyone, protected,
                      "master and workers after the load")
    rep.equal([memory.is_protected(pid) for pid in everyone], [protected] * 5,
              "secret memory in each process")
    result = server.stop()
    rep.equal(result.messages, [], "no message of libsecretssl")
    rep.equal(result.status, 0, "the master ends with status 0")


def scenario_load_reload_kill(env, rep):
    under_load(env, rep, protected=True)


def scenario_load_reload_kill_control(env, rep):
    """What nginx itself does under the same treatment: the checks above ask no more."""
    under_load(env, rep, protected=False)


def scenario_scan_control(env, rep):
    """Without the preload the key is found in the master and in every worker."""
    identities = [keys.Identity(env, "rsa"), keys.Identity(env, "ecdsa")]
    server = Nginx(env, identities, env.plain())
    for client in contexts(identities):
        rep.ok(b"hello" in tls.fetch(server.port, client), "a page")
    for one in identities:
        memory.check_scan(env, rep, [one.key], [server.master, *server.workers()], False,
                          f"nginx, {one.kind}")
    rep.equal(server.stop().status, 0, "the master ends with status 0")


def upgrade(env, rep, main, protected):
    """A binary upgrade (USR2, then QUIT to the old master); is the new one protected?"""
    name = f"with '{main}'" if main else "without 'env LD_PRELOAD;'"
    identity = keys.Identity(env, "ecdsa")
    # nginx upgrades only when it has left its parent.
    server = Nginx(env, [identity], env.preloaded(), main, daemon=True)
    old, old_workers = server.master, server.workers()
    client = tls.context(identity)
    with tls.Load(server.port, [client], threads=2) as load:
        os.kill(old, signal.SIGUSR2)
        started = process.wait_until(
            lambda: server.master not in (None, old) and len(server.workers()) == 4, 20)
        rep.ok(started, f"{name}: the new master starts four workers", server.log()[-1000:])
        os.kill(old, signal.SIGQUIT)
        gone = process.wait_until(lambda: not process.alive(old), 20)
        rep.ok(gone, f"{name}: the old master goes")
        time.sleep(1)
    rep.ok(load.done > 10 and not load.failures, f"{name}: no connection fails meanwhile",
           f"{load.done} done, {load.failures[:5]}")
    new = [server.master, *server.workers()]
    rep.ok(len(new) == 5 and not set(new) & {old, *old_workers}, f"{name}: all processes are new")
    memory.check_scan(env, rep, [identity.key], new, protected, f"{name}: after the upgrade")
    rep.equal([memory.is_protected(pid) for pid in new], [protected] * 5,
              f"{name}: secret memory in the new processes")
    rep.equal(server.deaths(), [], f"{name}: no worker dies of a signal")
    rep.ok(not server.grave(), f"{name}: no alert or emerg", "\n".join(server.grave()[:10]))
    server.stop()


def scenario_binary_upgrade(env, rep):
    upgrade(env, rep, "env LD_PRELOAD;", True)


def scenario_binary_upgrade_control(env, rep):
    """nginx clears its environment: without the directive the new binary is not protected."""
    upgrade(env, rep, "", False)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
