# SPDX-License-Identifier: Apache-2.0
"""Secret memory of servers by connections and certificates: servers, measuring, and the table.

The servers are those of test/system/harness, which must be in the path."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import textwrap

from harness import pgwire, process, programs, tls
from harness.table import put_into_page

BEGIN = "<!-- sizing: written by bench/sizing --publish -->\n"
END = "<!-- end of sizing -->"
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
# What makes every process warm: allocated once, whatever follows.
WARM = 20


class Server(programs.Program):
    """A server with a number of certificates; workers keep CAP_IPC_LOCK, so that the limit of the
    machine that measures does not show in the figures."""

    certificates = 1
    rank = {}

    def path_of(self, number, kind):
        return self.path(f"{number}.{kind}")

    def write_certificates(self):
        """The same key in many files: it is loaded again from each."""
        for number in range(self.certificates):
            name = "localhost" if number == 0 else f"name{number}.example"
            subprocess.run(
                ["openssl", "req", "-x509", "-key", self.identity.key, "-days", "2", "-subj",
                 f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-out",
                 self.path_of(number, "crt")], check=True, capture_output=True, timeout=60)
            shutil.copy(self.identity.key, self.path_of(number, "key"))

    def command(self):
        raise NotImplementedError

    def arguments(self):
        return ["setpriv", "--securebits", "+no_setuid_fixup", *self.command()]

    def open(self):
        """A connection that did something and is idle now."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        secure = self.client().wrap_socket(plain, server_hostname="localhost")
        secure.sendall(REQUEST)
        answer = b""
        while b"hello" not in answer:
            block = secure.recv(65536)
            if not block:
                raise RuntimeError(f"{type(self).__name__} closes a connection: {answer[:200]!r}")
            answer += block
        return secure

    @staticmethod
    def client():
        made = ssl.create_default_context()
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        return made

    def role(self, pid):
        """Which of its processes this is, by its depth below the first."""
        del pid
        return "process"


class Nginx(Server):
    def prepare(self):
        self.write_certificates()
        servers = "\n".join(f"""\
    server {{
        listen 127.0.0.1:{self.port} ssl{' default_server' if number == 0 else ''};
        server_name {'localhost' if number == 0 else f'name{number}.example'};
        ssl_certificate {self.path_of(number, 'crt')};
        ssl_certificate_key {self.path_of(number, 'key')};
        location / {{ return 200 "hello\\n"; }}
    }}""" for number in range(self.certificates))
        temporary = "\n".join(f"    {kind}_temp_path {self.directory}/{kind};" for kind in
                              ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.write("conf", f"""\
daemon off;
user root;
worker_processes 1;
pid {self.path('pid')};
error_log {self.path('log')};
events {{ worker_connections 8192; }}
http {{
    access_log off;
    keepalive_timeout 600s;
    server_names_hash_bucket_size 128;
{temporary}
{servers}
}}
""")

    def command(self):
        return ["/usr/sbin/nginx", "-p", self.directory, "-c", self.path("conf")]

    def ready(self):
        return super().ready() and len(self.processes()) == 2

    def role(self, pid):
        return "master" if pid == self.child.pid else "worker"


class Apache(Server):
    mpm, settings = "event", """\
ServerLimit 1
StartServers 1
ThreadsPerChild 64
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
AsyncRequestWorkerFactor 64
"""

    def prepare(self):
        self.write_certificates()
        os.makedirs(self.path("root"), exist_ok=True)
        self.write("root/index.html", "hello\n")
        modules = "\n".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
            for name in (f"mpm_{self.mpm}", "authz_core", "dir", "socache_shmcb", "ssl"))
        hosts = "\n".join(f"""\
<VirtualHost *:{self.port}>
    ServerName {'localhost' if number == 0 else f'name{number}.example'}
    SSLEngine on
    SSLCertificateFile {self.path_of(number, 'crt')}
    SSLCertificateKeyFile {self.path_of(number, 'key')}
</VirtualHost>""" for number in range(self.certificates))
        self.write("conf", f"""\
ServerRoot {self.directory}
ServerName localhost
{modules}
PidFile {self.path("pid")}
DefaultRuntimeDir {self.directory}
ErrorLog {self.path("log")}
User www-data
Group www-data
{self.settings}
KeepAlive on
KeepAliveTimeout 600
MaxKeepAliveRequests 0
Listen 127.0.0.1:{self.port}
SSLSessionCache shmcb:{self.path("cache")}(512000)
DocumentRoot {self.directory}/root
DirectoryIndex index.html
{hosts}
""")

    def command(self):
        return ["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", self.path("conf")]

    def ready(self):
        return super().ready() and len(self.processes()) >= 2

    def role(self, pid):
        return "parent" if pid == self.child.pid else "child"


class Prefork(Apache):
    mpm, settings = "prefork", """\
ServerLimit 200
StartServers 1
MinSpareServers 1
MaxSpareServers 1
MaxRequestWorkers 200
"""


class Haproxy(Server):
    def prepare(self):
        self.write_certificates()
        os.makedirs(self.path("pem"), exist_ok=True)
        for number in range(self.certificates):
            with open(self.path(f"pem/{number}.pem"), "wb") as out:
                for kind in "crt", "key":
                    with open(self.path_of(number, kind), "rb") as file:
                        out.write(file.read())
        self.write("conf", f"""\
global
    nbthread 1
    maxconn 8192
defaults
    mode http
    timeout client 600s
    timeout server 600s
    timeout connect 10s
    timeout http-keep-alive 600s
frontend tests
    bind 127.0.0.1:{self.port} ssl crt {self.path("pem/")}
    http-request return status 200 content-type text/plain string hello
""")

    def command(self):
        return ["/usr/sbin/haproxy", "-W", "-db", "-f", self.path("conf")]

    def ready(self):
        return super().ready() and len(self.processes()) >= 2

    def role(self, pid):
        return "master" if pid == self.child.pid else "worker"


class Postgres(programs.Postgres):
    """One certificate; each connection is a process."""

    def arguments(self):
        return [*super().arguments(), "-c", "max_connections=300"]

    def open(self):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        return pgwire.start(plain, Server.client())

    def role(self, pid):
        title = process.title(pid) or ""
        return "backend" if "tests postgres" in title else \
            "postmaster" if pid == self.child.pid else "helper"


# class, connections of a whole and of a quick run, certificates of both, and whether a connection
# is a process
SERVERS = {
    "nginx": (Nginx, (0, 1, 100, 1000), (0, 1, 50), (1, 10, 100), (1, 5), False),
    "Apache, event": (Apache, (0, 1, 100, 1000), (0, 1, 50), (1, 10, 100), (1, 5), False),
    "Apache, prefork": (Prefork, (0, 1, 10, 100), (0, 1, 10), (1, 10, 100), (1, 5), True),
    "HAProxy": (Haproxy, (0, 1, 100, 1000), (0, 1, 50), (1, 10, 100), (1, 5), False),
    "PostgreSQL": (Postgres, (0, 1, 10, 100), (0, 1, 10), (1,), (1,), True),
}


def secret(pid):
    """(touched, mapped) bytes of a process's secret memory, by the kernel."""
    touched = mapped = 0
    inside = False
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        for line in file:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                inside = "/secretmem" in line
            elif inside and line.startswith("Rss:"):
                touched += int(line.split()[1]) * 1024
            elif inside and line.startswith("Size:"):
                mapped += int(line.split()[1]) * 1024
    return touched, mapped


def look(server):
    """By role: number of processes, and the medians of what they have."""
    roles = {}
    for pid in server.processes():
        try:
            figures = secret(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if figures != (0, 0):
            roles.setdefault(server.role(pid), []).append(figures)
    return {role: {"processes": len(all_),
                   "touched": sorted(one[0] for one in all_)[len(all_) // 2],
                   "mapped": sorted(one[1] for one in all_)[len(all_) // 2]}
            for role, all_ in roles.items()}


def one(env, identity, name, connections, certificates):
    base = SERVERS[name][0]
    kind = type(base.__name__, (base,), {"certificates": certificates})
    server, held = kind(env, identity, env.preloaded(SECRETSSL_REQUIRE="0")), []
    try:
        for _ in range(WARM):
            server.open().close()
        held = [server.open() for _ in range(connections)]
        process.wait_until(lambda: False, 1)
        roles = look(server)
        said = [line for line in (server.child.err + server.log()).splitlines()
                if "libsecretssl" in line]
    finally:
        for connection in held:
            connection.close()
        server.stop()
    if said or not roles:
        raise RuntimeError(f"{name}: not all of it is secret memory: {said}")
    return {"server": name, "connections": connections, "certificates": certificates,
            "roles": roles}


def measure(env, identity, name, quick):
    _, whole, few, certificates, some, _ = SERVERS[name]
    found = [one(env, identity, name, number, 1) for number in (few if quick else whole)]
    return found + [one(env, identity, name, 0, number)
                    for number in (some if quick else certificates)[1:]]


def each(rows, role, which, what):
    """Bytes for one more (certificate or connection), between the first and the last row."""
    rows = [row for row in rows if role in row["roles"]]
    if len(rows) < 2:
        return None
    first, last = rows[0], rows[-1]
    return (last["roles"][role][what] - first["roles"][role][what]) / (last[which] - first[which])


def figures(found):
    """[(server, role, process, certificate, connection)], each a pair (touched, mapped) or None."""
    result = []
    for name, (*_, is_process) in SERVERS.items():
        rows = [row for row in found["rows"] if row["server"] == name]
        by_connections = [row for row in rows if row["certificates"] == 1]
        by_certificates = [row for row in rows if row["connections"] == 0]
        roles = {role for row in rows for role in row["roles"]}
        for role in sorted(roles, reverse=True):
            idle = next(row for row in by_connections if role in row["roles"])["roles"][role]
            pairs = [tuple(each(part, role, which, what) for what in ("touched", "mapped"))
                     for part, which in ((by_certificates, "certificates"),
                                         (by_connections, "connections"))]
            if is_process:
                pairs[1] = (None, None)
            result.append((name, role, (idle["touched"], idle["mapped"]), *pairs))
    return result


def kib(pair, more=False):
    if pair[0] is None:
        return "–"
    return " / ".join(f"{value / 1024:.1f}" if more and value else f"{value / 1024:.0f}"
                      for value in pair)


def table(found):
    lines = ["| server | process | each process | each certificate | each idle connection |",
             "|---|---|--:|--:|--:|"]
    for name, role, base, certificate, connection in figures(found):
        told = "a process of its own" if SERVERS[name][-1] and role in ("child", "backend") \
            else kib(connection, True)
        if role in ("master", "parent", "postmaster", "helper"):
            told = "–"
        lines.append(f"| {name} | {role} | {kib(base)} | {kib(certificate, True)} | {told} |")
    machine = found["machine"]
    # In backquotes, because ~ is a mark in Markdown.
    said = (f"KiB, touched / mapped. Linux {machine['kernel']}, "
            + ", ".join(f"`{package.replace(' ', '=')}`" for package in machine["packages"]) + ".")
    return "\n".join([*lines, "", *textwrap.wrap(said, 100, break_on_hyphens=False), "",
                      *textwrap.wrap(example(found), 100, break_on_hyphens=False)]) + "\n"


def example(found, workers=4, connections=1000, certificates=10):
    """The formula at work, in what the table says of nginx."""
    by_role = {role: parts for name, role, *parts in figures(found) if name == "nginx"}
    if len(by_role) < 2:
        return ""
    sums = []
    for what in 0, 1:
        one, cert, connection = (part[what] for part in by_role["worker"])
        master, master_cert, _ = (part[what] or 0 for part in by_role["master"])
        worker = one + certificates * cert + connections * connection
        sums.append((worker, workers * worker + master + certificates * master_cert))
    return (f"So {workers} nginx workers with {connections:,} connections each and {certificates} "
            f"certificates touch {sums[0][1] / 2**20:.0f} MiB together, the master included; one "
            f"worker has {sums[1][0] / 2**20:.0f} MiB mapped. With room for a reload, "
            f"`LimitMEMLOCK={2 * sums[0][1] / 2**20:.0f}M` is enough by either way of counting.")


def put(text, found):
    return put_into_page(text, table(found), BEGIN, END)
