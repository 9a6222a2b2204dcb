# SPDX-License-Identifier: Apache-2.0
"""Real programs from Debian's packages, with the preload and without: each works under load,
no process dies, and the scan counts the copies of the key. scripts/programs-table writes what
was counted into docs/servers.md; here it must still be so."""

import glob
import os
import re
import sys

from harness import keys, memory, process, programs, report, scripts, table, tls
from harness.nginx import Nginx
from harness.register import bear, check, counted, web


REFUSED = ["CRYPTO_set_mem_functions.* are refused.*: libsecretssl's functions stay in use"]


def scenario_apache_prefork(env, rep):
    web(env, rep, "Apache, prefork", programs.ApachePrefork, b"/index.html")


def scenario_apache_event(env, rep):
    web(env, rep, "Apache, event", programs.ApacheEvent, b"/index.html")


def scenario_haproxy(env, rep):
    web(env, rep, "HAProxy", programs.Haproxy)


def scenario_stunnel(env, rep):
    """It installs memory functions of its own; newer ones end if they are refused."""
    says = REFUSED if programs.Stunnel.version() < (5, 75) else ()
    web(env, rep, "stunnel", programs.Stunnel, says=says)


def scenario_python_fork(env, rep):
    web(env, rep, "Python, http.server with fork", scripts.PythonFork)


def scenario_python_multiprocessing(env, rep):
    web(env, rep, "Python, multiprocessing", scripts.PythonWorkers)


def scenario_node(env, rep):
    web(env, rep, "node, https", scripts.Node)


def scenario_node_secure_heap(env, rep):
    web(env, rep, "node, --secure-heap", scripts.NodeSecureHeap)


def scenario_php(env, rep):
    web(env, rep, "PHP", scripts.Php)


def scenario_perl(env, rep):
    web(env, rep, "Perl, IO::Socket::SSL", scripts.Perl)


def scenario_ruby(env, rep):
    web(env, rep, "Ruby", scripts.Ruby)


def scenario_nginx(env, rep):
    """More of nginx is in test_nginx.py."""
    identity = keys.Identity(env, "rsa")

    def measure(protected):
        title = "nginx " + ("with the preload" if protected else "without")
        server = Nginx(env, [identity], env.chosen(protected))
        client = tls.context(identity)
        with tls.Load(server.port, [client]) as load:
            bear(load, 20)
        rep.ok(load.done >= 20 and not load.failures, f"{title}: {load.done} connections",
               load.failures[:5])
        answer = counted(env, rep, identity, [server.master, *server.workers()], title)
        rep.equal((server.deaths(), server.grave()), ([], []), f"{title}: no process died")
        server.stop()
        return answer

    check(env, rep, "nginx", measure)


def scenario_s_server(env, rep):
    identity = keys.Identity(env, "rsa")

    def measure(protected):
        title = "s_server " + ("with the preload" if protected else "without")
        server = tls.Server(env, identity, env.chosen(protected), ["-www"])
        with tls.Load(server.port, [tls.context(identity)], threads=1) as load:
            bear(load, 5)
        rep.ok(load.done >= 5 and not load.failures, f"{title}: {load.done} connections",
               load.failures[:5])
        answer = counted(env, rep, identity, [server.pid], title)
        server.stop()
        return answer

    check(env, rep, "openssl s_server", measure)


def scenario_curl(env, rep):
    """A client with a certificate, looked at while it waits for the answer."""
    identity = keys.Identity(env, "rsa")

    def measure(protected):
        title = "curl " + ("with the preload" if protected else "without")
        server = tls.HoldingServer(identity, ask_certificate=True)
        curl = process.Child(
            env, ["curl", "-sS", "--max-time", "60", "--cacert", identity.certificate, "--cert",
                  identity.certificate, "--key", identity.key,
                  f"https://localhost:{server.port}/"], env.chosen(protected))
        rep.ok(server.connected.wait(30) and server.peer, f"{title}: shows its certificate",
               server.error)
        answer = counted(env, rep, identity, [curl.pid], title)
        server.close()
        result = curl.wait(30)
        rep.equal((result.status, result.out, result.err), (0, "hello", ""), f"{title}: answer")
        return answer

    check(env, rep, "curl, client certificate", measure)


def scenario_postgresql(env, rep):
    """A process for each connection; pgbench makes a new one for each transaction."""
    identity = keys.Identity(env, "rsa")

    def measure(protected):
        title = "PostgreSQL " + ("with the preload" if protected else "without")
        server = programs.Postgres(env, identity, env.chosen(protected))
        script = server.write("script", "select version();\n")
        load = process.run(env, [server.tool("pgbench"), "-n", "-C", "-c", "3", "-T", "2", "-f",
                                 script, server.url()], env.plain())
        rep.ok(load.status == 0 and "number of failed transactions: 0" in load.out,
               f"{title}: connections under load, none fails", load)
        held = process.Child(env, [server.tool("psql"), server.url(), "-Atc",
                                   "select ssl, pg_sleep(20) from pg_stat_ssl "
                                   "where pid = pg_backend_pid()"], env.plain())
        process.wait_until(lambda: any("pg_sleep" in (process.title(pid) or "")
                                       or "SELECT" in (process.title(pid) or "")
                                       for pid in server.processes()), 10)
        answer = counted(env, rep, identity, server.processes(), title,
                         server.key_file())
        held.stop()
        rep.equal(server.deaths(), [], f"{title}: no process died")
        result = server.stop()
        rep.ok(result.status == 0 and not result.messages, f"{title}: ends when asked", result)
        return answer

    check(env, rep, "PostgreSQL", measure)


def scenario_sshd(env, rep):
    """Logins, and the processes of one that stays."""
    identity = keys.Identity(env, "rsa")

    def measure(protected):
        title = "sshd " + ("with the preload" if protected else "without")
        server = programs.Sshd(env, identity, env.chosen(protected))
        results = [process.run(env, server.client("echo hello"), env.plain()) for _ in range(8)]
        failed = [one for one in results if (one.status, one.out) != (0, "hello\n")]
        rep.ok(not failed, f"{title}: eight logins",
               "\n".join(map(str, failed)) + server.child.err)
        held = process.Child(env, server.client("echo hello; sleep 30"), env.plain())
        held.wait_for("^hello")
        pids = [pid for pid in server.processes() if process.program(pid) == "sshd"]
        rep.ok(len(pids) >= 2, f"{title}: {len(pids)} processes of sshd")
        rep.equal([memory.is_protected(pid) for pid in pids], [protected] * len(pids),
                  f"{title}: their memory is secret")
        answer = counted(env, rep, identity, pids, title, server.key_file())
        held.stop()
        rep.equal(server.deaths(), [], f"{title}: no process died")
        result = server.stop()
        rep.ok(not result.messages, f"{title}: no message of ours", result)
        return answer

    # OpenSSH keeps a host key encrypted in memory while it does not use it.
    check(env, rep, "sshd", measure, control=False)


def scenario_dovecot(env, rep):
    """It installs memory functions of its own, and hands the text of the key file from process
    to process: that is what is left, in its own heap."""
    identity = keys.Identity(env, "rsa")
    client = tls.context(identity)
    for protected in False, True:
        title = "dovecot " + ("with the preload" if protected else "without")
        server = programs.Dovecot(env, identity, env.chosen(protected))
        answers = [server.logout(client) for _ in range(20)]
        rep.ok(all(b"\na OK" in one for one in answers), f"{title}: 20 connections", answers[:2])
        logins = [pid for pid in server.processes() if process.program(pid) == "imap-login"]
        _, copies, _ = counted(env, rep, identity, logins, title)
        numbers = [copy for copy in copies if copy[0] != "PEM"]
        rep.note(f"{title}: {len(copies)} copies, {len(numbers)} of them numbers")
        rep.ok((numbers == []) == protected, f"{title}: only text of the key file is left",
               numbers)
        rep.equal([memory.is_protected(pid) for pid in logins], [protected],
                  f"{title}: secret memory in the login process, or none")
        rep.equal(server.deaths(), [], f"{title}: no process died")
        server.stop()
        if protected:
            rep.ok(server.says() and all("libsecretssl's functions stay in use" in line for line in server.says()),
                   f"{title}: it is told that ours stay, and nothing else", server.says())


def scenario_python_test_ssl(env, rep):
    """The standard library's own tests of ssl give the same results."""
    # Each waits more than it works: both at once.
    running = [process.Child(env, ["/usr/bin/python3", "-m", "test", "-v", "test_ssl"],
                             env.chosen(protected, SECRETSSL_STATS="1"))
               for protected in (False, True)]
    results = [child.wait(140) for child in running]
    ends = [re.findall(r"^Ran (\d+) tests|^OK.*", one.out + one.err, re.M) for one in results]
    skips = [re.findall(r"^OK.*", one.out + one.err, re.M) for one in results]
    for one, protected in zip(results, (False, True)):
        title = "test_ssl " + ("with the preload" if protected else "without")
        rep.ok(one.status == 0, f"{title}: succeeds", one)
        rep.equal("KiB secret" in one.err, protected, f"{title}: the preload was in it")
    rep.ok(ends[0] and int(ends[0][0]) > 100, f"{ends[0][:1]} tests ran")
    rep.equal((ends[1], skips[1]), (ends[0], skips[0]), "as many with it, and as many skipped")


def scenario_table(_env, rep):
    """The table of the register is what was measured, and no program is missing."""
    for name, rendered in table.PAGES.items():
        with open(os.path.join(table.TOP, name), encoding="utf-8") as file:
            rep.equal(table.in_page(file.read()), rendered(table.RESULTS),
                      f"the table in {name} is current; else run scripts/programs-table")
    with open(os.path.join(table.TOP, "README.md"), encoding="utf-8") as file:
        said = re.search(r"hold none, except\s+([^.]*), which", file.read())
    rep.equal(sorted(re.findall(r"[A-Za-z]+", said[1].replace(" and ", " "))) if said else None,
              sorted({name.split(",")[0] for name, row in table.RESULTS.items() if row["with"]}),
              "README names those in which copies are left")
    tested = set()
    here = os.path.dirname(os.path.abspath(__file__))
    for name in [__file__, *glob.glob(os.path.join(here, "test_servers_*.py"))]:
        with open(name, encoding="utf-8") as file:
            tested |= set(re.findall(r'\b(?:web|serve|check)\(env, rep, "([^"]+)"', file.read()))
    rep.equal(sorted(tested), sorted(table.RESULTS), "what is tested is what the table has")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
