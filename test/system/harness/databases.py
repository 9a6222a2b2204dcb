# SPDX-License-Identifier: Apache-2.0
"""Debian's databases, caches and their proxies: how each is started over TLS, and asked."""

import os
import pwd
import shutil
import socket
import struct
import subprocess

from . import pgwire, process, tls
from .environment import unpacked
from .programs import Service


def lines(port, client, request, end):
    """Sends a request over a new connection, and reads until the answer ends so."""
    with tls.connect(port, client) as secure:
        secure.sendall(request)
        answer = b""
        while not answer.endswith(end) and (block := secure.recv(65536)):
            answer += block
        return answer


class MariaDb(Service):
    """Without its tables of users, which it takes long to make. It asks OpenSSL for memory functions
    of its own, and goes on when they are refused."""

    threads = 3

    def prepare(self):
        shutil.rmtree(self.path("data"), ignore_errors=True)
        os.mkdir(self.path("data"))

    def arguments(self):
        return ["/usr/sbin/mariadbd", "--no-defaults", "--user=root", "--skip-grant-tables",
                f"--datadir={self.path('data')}", f"--socket={self.path('socket')}",
                f"--port={self.port}", "--bind-address=127.0.0.1", "--innodb-log-file-size=4M",
                f"--ssl-cert={self.identity.certificate}", f"--ssl-key={self.identity.key}",
                f"--ssl-ca={self.identity.certificate}"]

    def client(self, query):
        return ["/usr/bin/mariadb", "--no-defaults", "--host=127.0.0.1", f"--port={self.port}",
                f"--ssl-ca={self.identity.certificate}", "--ssl-verify-server-cert", "--user=root",
                "--batch", "--skip-column-names", f"--execute={query}"]

    def ask(self, _client):
        done = subprocess.run(self.client("show status like 'Ssl_version'; select 6 * 7"),
                              env=self.env.plain(), capture_output=True, text=True, timeout=30)
        right = done.returncode == 0 and "TLSv1" in done.stdout and done.stdout.endswith("42\n")
        return None if right else done

    def hold(self, _client):
        held = subprocess.Popen(self.client("select 'held'; select sleep(60)"), text=True,
                                env=self.env.plain(), stdout=subprocess.PIPE)
        return Held(held)


class Held:
    """A client that waits for its answer."""

    def __init__(self, popen):
        self.popen = popen

    def close(self):
        self.popen.kill()
        self.popen.communicate()


class Redis(Service):
    def arguments(self):
        return ["/usr/bin/redis-server", "--bind", "127.0.0.1", "--port", "0", "--tls-port",
                str(self.port), "--tls-cert-file", self.identity.certificate, "--tls-key-file",
                self.identity.key, "--tls-ca-cert-file", self.identity.certificate,
                "--tls-auth-clients", "no", "--dir", self.directory, "--logfile",
                self.path("log"), "--save", ""]

    def ask(self, client):
        answer = lines(self.port, client, b"PING\r\n", b"\r\n")
        return None if answer == b"+PONG\r\n" else answer

    def after(self, client):
        """It saves by a forked child."""
        lines(self.port, client, b"SET key value\r\nBGSAVE\r\n", b"started\r\n")
        for _ in range(100):
            answer = lines(self.port, client, b"INFO persistence\r\nPING\r\n", b"+PONG\r\n")
            if b"rdb_bgsave_in_progress:0" in answer:
                break
        saved = b"rdb_last_bgsave_status:ok" in answer and os.path.exists(self.path("dump.rdb"))
        return None if saved else answer


class Memcached(Service):
    def arguments(self):
        return ["/usr/bin/memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(self.port), "-Z",
                "-o", f"ssl_chain_cert={self.identity.certificate},ssl_key={self.identity.key}"]

    def ask(self, client):
        answer = lines(self.port, client, b"set key 0 60 5\r\nvalue\r\nget key\r\n", b"END\r\n")
        right = answer == b"STORED\r\nVALUE key 0 5\r\nvalue\r\nEND\r\n"
        return None if right else answer


class PgBouncer(Service):
    """Its own console is asked, so that no PostgreSQL is needed. It refuses to run as root."""

    user = "postgres"
    # "fast exit"
    ends = (1,)

    def prepare(self):
        key = self.own("server.key", self.identity.key, self.user)
        self.write("conf", f"""\
[databases]
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
admin_users = tests
client_tls_sslmode = require
client_tls_key_file = {key}
client_tls_cert_file = {self.identity.certificate}
""")

    def key_file(self):
        return self.path("server.key")

    def arguments(self):
        return ["/usr/sbin/pgbouncer", self.path("conf")]

    def hold(self, client):
        """A connection on which the server has said that it is ready for queries."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain:
            return pgwire.start(plain, client, "pgbouncer", "localhost")

    def ask(self, client):
        with self.hold(client) as secure:
            answer = pgwire.ask(secure, "show version")
            return None if b"PgBouncer" in answer else answer


class MySql(Service):
    """Only sid has a package of it, so it runs in a root of sid's files. Its clients speak the protocol
    themselves: a root with Debian's client would be larger by half."""

    user = "nobody"
    # CLIENT_LONG_PASSWORD, PROTOCOL_41, SSL, SECURE_CONNECTION and PLUGIN_AUTH
    CAPABILITIES = 1 | 0x200 | 0x800 | 0x8000 | 0x80000
    PLUGIN = b"caching_sha2_password\0"

    def begin(self):
        os.setsid()
        process.enter(unpacked("mysql-server-core"), self.env.directory)

    def prepare(self):
        owner = pwd.getpwnam(self.user)
        os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self.own("server.key", self.identity.key, self.user)
        self.write("init", "CREATE USER 'tests'@'127.0.0.1' IDENTIFIED BY '';\n")
        # It takes long, so the second server has what the first one left.
        self.data = self.env.path("mysql-data")
        if not os.path.exists(self.data):
            os.mkdir(self.data)
            os.chown(self.data, owner.pw_uid, owner.pw_gid)
            command = [*self.common(), "--initialize-insecure", f"--init-file={self.path('init')}"]
            done = process.run(self.env, command, self.env.plain(), user=owner.pw_uid, setup=self.begin)
            if done.status != 0:
                raise RuntimeError(f"mysqld --initialize: {done}")

    def common(self):
        return ["/usr/sbin/mysqld", "--no-defaults", f"--datadir={self.data}", "--skip-log-bin",
                "--secure-file-priv=NULL", "--innodb-redo-log-capacity=8M",
                "--innodb-buffer-pool-size=16M", "--innodb-flush-method=nosync"]

    def arguments(self):
        return [*self.common(), f"--socket={self.path('socket')}", f"--pid-file={self.path('pid')}",
                f"--port={self.port}", "--bind-address=127.0.0.1", "--mysqlx=OFF",
                "--skip-name-resolve", "--auto-generate-certs=OFF", "--require-secure-transport",
                f"--ssl-cert={self.identity.certificate}", f"--ssl-key={self.key_file()}",
                f"--ssl-ca={self.identity.certificate}", "--caching-sha2-password-auto-generate-rsa-keys=OFF"]

    def key_file(self):
        return self.path("server.key")

    @staticmethod
    def packet(connection):
        head = tls.exactly(connection, 4)
        return tls.exactly(connection, int.from_bytes(head[:3], "little"))

    @staticmethod
    def send(connection, number, content):
        connection.sendall(len(content).to_bytes(3, "little") + bytes([number]) + content)

    def hold(self, client):
        """A connection of a user without a password, ready for queries."""
        head = struct.pack("<IIB23x", self.CAPABILITIES, 1 << 24, 45)
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain:
            self.packet(plain)
            self.send(plain, 1, head)
            secure = client.wrap_socket(plain, server_hostname="localhost")
        self.send(secure, 2, head + b"tests\0\0" + self.PLUGIN)
        while (answer := self.packet(secure))[0] != 0:
            if answer[0] != 1:
                raise OSError(f"the server refuses: {answer!r}")
        return secure

    def ask(self, client):
        with self.hold(client) as secure:
            self.send(secure, 0, b"\3select concat('hello ', 6 * 7)")
            answers = [self.packet(secure)]
            # The number of columns, each column, an end, each row, an end
            while sum(one[:1] == b"\xfe" for one in answers) < 2 and answers[0][:1] != b"\xff":
                answers.append(self.packet(secure))
            self.send(secure, 0, b"\1")
        return None if b"\x08hello 42" in answers else answers
