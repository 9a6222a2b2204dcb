# SPDX-License-Identifier: Apache-2.0
"""Debian's servers with configurations of their own: how each is started, and asked."""

import os
import pwd
import re
import shutil
import signal
import subprocess

from . import process, tls

# What a connection's own process runs behind stunnel.
ANSWER = """\
while read -r line && [ ${#line} -gt 1 ]; do :; done
printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello\\n'
"""


class Program:
    """A running server. Its processes are the one that was started and all below it."""

    command = ()
    grave = r"exit signal|exited (on|with) signal|terminated by signal|killed by signal|" \
            r"core dumped|died"
    user = None

    def __init__(self, env, identity, environ):
        self.env, self.identity = env, identity
        self.directory = env.path(f"{type(self).__name__.lower()}-{len(os.listdir(env.directory))}")
        os.mkdir(self.directory)
        os.chmod(self.directory, 0o755)
        # A port may have been taken by somebody else meanwhile. A session of its own, because
        # some servers end their whole process group.
        for _ in range(5):
            self.port = tls.free_port()
            self.prepare()
            self.child = process.Child(env, self.arguments(), self.environment(environ),
                                       cwd=self.directory, setup=self.begin,
                                       user=self.user and pwd.getpwnam(self.user).pw_uid)
            process.wait_until(lambda: self.ready() or self.child.popen.poll() is not None, 20)
            if self.child.popen.poll() is None and self.ready():
                return
            result = self.child.stop(signal.SIGKILL)
            if "in use" not in result.err + self.log():
                break
        raise RuntimeError(f"{type(self).__name__} does not start\n{result}\n{self.log()}")

    def prepare(self):
        """Writes what it needs into its directory."""

    def arguments(self):
        raise NotImplementedError

    def environment(self, environ):
        return environ

    def begin(self):
        """What the process does before it is the server, still as root."""
        os.setsid()

    def ready(self):
        return tls.listening(self.port)

    def key_file(self):
        return self.identity.key

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def processes(self):
        found, new = [], [self.child.pid]
        while new:
            found += new
            new = [pid for parent in new for pid in process.children(parent)]
        return [pid for pid in found if process.alive(pid)]

    def log(self):
        return process.text_of(self.path("log"))

    def deaths(self):
        """Lines in which it says that one of its processes was killed."""
        text = self.log() + self.child.out + self.child.err
        return [line for line in text.splitlines() if re.search(self.grave, line)]

    def stop(self):
        return self.child.stop()


class Service(Program):
    """A server in a protocol of its own. Its processes write the preload's messages to one file,
    whoever they are by then and wherever their stderr goes."""

    # How many connections at a time are its load, and with which status it ends when it is asked to
    threads = 4
    ends = (0, -15, 143)
    # Whether the processes that it has at first stay
    steady = True

    def environment(self, environ):
        if "LD_PRELOAD" not in environ:
            return environ
        log = self.write("ours", "")
        os.chmod(log, 0o666)
        return {**environ, "LD_PRELOAD": self.env.reachable(self.env.preload),
                "SECRETSSL_LOG": log, "SECRETSSL_REQUIRE": "1"}

    def says(self):
        """What the preload wrote, in any of the processes."""
        try:
            with open(self.path("ours"), encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def own(self, name, source, user):
        """A copy of a file that belongs to the user whom the server becomes."""
        owner = pwd.getpwnam(user)
        shutil.copy(source, self.path(name))
        os.chown(self.path(name), owner.pw_uid, owner.pw_gid)
        os.chmod(self.path(name), 0o600)
        return self.path(name)

    def ask(self, client):
        """A new connection and one question; what is wrong with the answer, or None."""
        raise NotImplementedError

    def after(self, _client):
        """What else it must be able to do; what is wrong, or None."""

    def hold(self, client):
        """A connection that stays until its close()."""
        return tls.connect(self.port, client)


class Apache(Program):
    mpm = None

    def prepare(self):
        modules = f"/usr/lib/apache2/modules/mod_mpm_{self.mpm}.so"
        self.write("conf", f"""\
ServerRoot {self.directory}
ServerName localhost
LoadModule mpm_{self.mpm}_module {modules}
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
PidFile {self.path("pid")}
DefaultRuntimeDir {self.directory}
ErrorLog {self.path("log")}
User www-data
Group www-data
StartServers 3
Listen 127.0.0.1:{self.port}
SSLSessionCache shmcb:{self.path("cache")}(512000)
DocumentRoot {self.directory}/root
<VirtualHost *:{self.port}>
    SSLEngine on
    SSLCertificateFile {self.identity.certificate}
    SSLCertificateKeyFile {self.identity.key}
</VirtualHost>
""")
        os.makedirs(self.path("root"), exist_ok=True)
        self.write("root/index.html", "hello\n")

    def arguments(self):
        return ["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", self.path("conf")]

    def ready(self):
        return super().ready() and len(self.processes()) >= 4


class ApachePrefork(Apache):
    mpm = "prefork"


class ApacheEvent(Apache):
    mpm = "event"


class Haproxy(Program):
    def prepare(self):
        with open(self.identity.certificate, encoding="ascii") as one, \
                open(self.identity.key, encoding="ascii") as other:
            self.write("both.pem", one.read() + other.read())
        self.write("conf", f"""\
global
    nbthread 2
    stats socket {self.path("socket")} level admin
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend tests
    bind 127.0.0.1:{self.port} ssl crt {self.path("both.pem")}
    http-request return status 200 content-type text/plain string hello
""")

    def key_file(self):
        return self.path("both.pem")

    def arguments(self):
        return ["/usr/sbin/haproxy", "-W", "-db", "-f", self.path("conf")]


class Stunnel(Program):
    def environment(self, environ):
        if self.version() >= (5, 75) and "LD_PRELOAD" in environ:
            environ = {**environ, "SECRETSSL_FUNCTIONS": "ignore"}
        return environ

    @staticmethod
    def version():
        said = subprocess.run(["/usr/bin/stunnel4", "-version"], stderr=subprocess.PIPE, text=True,
                              check=False).stderr
        return tuple(map(int, re.search(r"stunnel (\d+)\.(\d+)", said).groups()))

    def prepare(self):
        self.write("conf", f"""\
foreground = yes
debug = 4
pid =
[tests]
accept = 127.0.0.1:{self.port}
exec = /bin/sh
execArgs = sh {self.write("answer", ANSWER)}
cert = {self.identity.certificate}
key = {self.identity.key}
""")

    def arguments(self):
        return ["/usr/bin/stunnel4", self.path("conf")]


class Postgres(Program):
    """A process for each connection, and a user of its own: it refuses to run as root."""

    user = "postgres"
    binaries = max((os.path.join("/usr/lib/postgresql", version, "bin")
                    for version in os.listdir("/usr/lib/postgresql")), default=None) \
        if os.path.isdir("/usr/lib/postgresql") else None

    def tool(self, name):
        return os.path.join(self.binaries, name)

    def prepare(self):
        owner = pwd.getpwnam(self.user)
        os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        shutil.rmtree(self.path("data"), ignore_errors=True)
        done = process.run(
            self.env, [self.tool("initdb"), "-D", self.path("data"), "-A", "trust", "-U", "tests",
                       "--no-sync", "--locale=C", "-E", "UTF8"], self.env.plain(),
            user=owner.pw_uid, cwd=self.directory)
        if done.status != 0:
            raise RuntimeError(f"initdb: {done}")
        for name, source in ("server.key", self.identity.key), \
                ("server.crt", self.identity.certificate):
            shutil.copy(source, self.path(name))
            os.chown(self.path(name), owner.pw_uid, owner.pw_gid)
            os.chmod(self.path(name), 0o600)

    def environment(self, environ):
        if "LD_PRELOAD" in environ:
            environ = {**environ, "LD_PRELOAD": self.env.reachable(self.env.preload)}
        return environ

    def arguments(self):
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
            "ssl": "on", "ssl_cert_file": self.path("server.crt"),
            "ssl_key_file": self.path("server.key"), "fsync": "off"}
        return [self.tool("postgres"), "-D", self.path("data"),
                *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))]

    def key_file(self):
        return self.path("server.key")

    def url(self):
        return f"host=127.0.0.1 port={self.port} user=tests dbname=postgres sslmode=require"

    def ready(self):
        return super().ready() and subprocess.run(
            [self.tool("psql"), self.url(), "-Atc", "select 1"], env=self.env.plain(),
            capture_output=True, timeout=20).returncode == 0

    def stop(self):
        return self.child.stop(signal.SIGINT)


class Sshd(Program):
    """Privilege separation and a filter; each connection is a process that is executed anew."""

    def prepare(self):
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        key = self.path("client")
        if not os.path.exists(key):
            subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", key], check=True,
                           timeout=60)
        shutil.copy(key + ".pub", self.path("authorized"))
        shutil.copy(self.identity.key, self.path("host"))
        os.chmod(self.path("host"), 0o600)
        self.write("conf", f"""\
Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.path("host")}
AuthorizedKeysFile {self.path("authorized")}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 100
""")

    def arguments(self):
        return ["/usr/sbin/sshd", "-D", "-e", "-f", self.path("conf")]

    def key_file(self):
        return self.path("host")

    def client(self, command):
        return ["ssh", "-F", "none", "-i", self.path("client"), "-p", str(self.port),
                "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
                "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                f"{pwd.getpwuid(os.getuid()).pw_name}@127.0.0.1", command]


class Dovecot(Service):
    """Installs memory functions of its own. Its processes are executed anew, with those variables
    of the environment that it is told to keep, and leave root for users of their own."""

    def prepare(self):
        self.write("conf", f"""\
base_dir = {self.path("run")}
state_dir = {self.path("state")}
log_path = {self.path("log")}
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{self.identity.certificate}
ssl_key = <{self.identity.key}
import_environment = TZ LD_PRELOAD SECRETSSL_LOG SECRETSSL_REQUIRE
service imap-login {{
  process_min_avail = 1
  process_limit = 1
  service_count = 0
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {self.port}
    ssl = yes
  }}
}}
passdb {{
  driver = static
  args = password=tests
}}
""")

    def arguments(self):
        return ["/usr/sbin/dovecot", "-F", "-c", self.path("conf")]

    def logout(self, client):
        """A connection of one command; its answer."""
        with tls.connect(self.port, client) as secure:
            secure.sendall(b"a logout\r\n")
            answer = b""
            while block := secure.recv(65536):
                answer += block
            return answer
