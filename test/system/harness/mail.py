# SPDX-License-Identifier: Apache-2.0
"""Exim with OpenSSL, and Prosody: how each is started, and asked."""

import os
import pwd
import signal
import smtplib
import threading

from . import process, tls
from .environment import unpacked
from .programs import Service


class Exim(Service):
    """Debian's Exim has GnuTLS: scripts/setup builds the same source with OpenSSL. A daemon that stays
    root, a process for each connection, which leaves root, and one for each message."""

    user_inside = "mail"
    steady = False
    # Else it clears its environment.
    keeps = "LD_PRELOAD : ^SECRETSSL_"

    def __init__(self, *arguments):
        self.sent, self.lock = 0, threading.Lock()
        super().__init__(*arguments)

    def prepare(self):
        owner = pwd.getpwnam(self.user_inside)
        for name in "", "spool":
            os.makedirs(self.path(name), exist_ok=True)
            os.chown(self.path(name), owner.pw_uid, owner.pw_gid)
        self.own("server.key", self.identity.key, self.user_inside)
        self.write("conf", f"""\
exim_path = {self.program()}
keep_environment = {self.keeps}
spool_directory = {self.path("spool")}
log_file_path = {self.path("%slog")}
pid_file_path = {self.path("pid")}
primary_hostname = localhost
local_interfaces = 127.0.0.1
daemon_smtp_ports = {self.port}
tls_on_connect_ports = {self.port}
tls_advertise_hosts = *
tls_certificate = {self.identity.certificate}
tls_privatekey = {self.path("server.key")}
deliver_drop_privilege = true
smtp_accept_max = 100
acl_smtp_rcpt = accept
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = {self.path("mail")}
""")

    def program(self):
        return self.env.reachable(unpacked("exim4", "exim4"))

    def arguments(self):
        return [self.program(), "-C", self.path("conf"), "-bdf", "-q30m"]

    def key_file(self):
        return self.path("server.key")

    def ready(self):
        """It says that it listens, and then forks. Each probing connection would be another process."""
        return "End queue run" in self.log()

    def log(self):
        text = ""
        for name in "mainlog", "paniclog":
            if os.path.exists(self.path(name)):
                with open(self.path(name), encoding="utf-8", errors="replace") as file:
                    text += file.read()
        return text

    def hold(self, client):
        return smtplib.SMTP_SSL("127.0.0.1", self.port, context=client, timeout=20)

    def ask(self, client):
        """A message that is accepted."""
        smtp = self.hold(client)
        refused = smtp.sendmail("tests@localhost", ["tests@localhost"], "Subject: hello\n\nhello\n")
        smtp.quit()
        with self.lock:
            self.sent += 1
        return refused or None

    def reload(self):
        """A child that was just forked has its sockets, which it would find in use, for a moment."""
        process.wait_until(lambda: not process.children(self.child.pid), 20)
        started = self.log().count("daemon started")
        os.kill(self.child.pid, signal.SIGHUP)
        return process.wait_until(lambda: self.log().count("daemon started") > started, 20)

    def delivered(self):
        try:
            with open(self.path("mail"), encoding="utf-8", errors="replace") as file:
                return file.read().count("\nSubject: hello\n")
        except FileNotFoundError:
            return 0

    def after(self, client):
        """It executes itself anew, and delivers all messages."""
        if not self.reload():
            return self.log()
        wrong = self.ask(client)
        process.wait_until(lambda: self.delivered() == self.sent, 30)
        there = self.delivered()
        return wrong or (None if there == self.sent else f"{there} of {self.sent} are delivered")


class EximForgetting(Exim):
    """With its default."""

    keeps = ""


class Prosody(Service):
    """XMPP: Lua with LuaSec."""

    user = "prosody"

    def prepare(self):
        owner = pwd.getpwnam(self.user)
        os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self.own("server.key", self.identity.key, self.user)
        self.write("conf.lua", f"""\
daemonize = false
pidfile = "{self.path("pid")}"
data_path = "{self.directory}"
log = {{ info = "{self.path("log")}" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{}}
c2s_direct_tls_ports = {{ {self.port} }}
modules_enabled = {{ "saslauth", "tls" }}
modules_disabled = {{ "s2s" }}
authentication = "anonymous"
ssl = {{ key = "{self.path("server.key")}"; certificate = "{self.identity.certificate}" }}
VirtualHost "localhost"
""")

    def key_file(self):
        return self.path("server.key")

    def arguments(self):
        return ["/usr/bin/prosody", "-F", "--config", self.path("conf.lua")]

    @staticmethod
    def until(secure, end):
        answer = b""
        while end not in answer:
            block = secure.recv(65536)
            if not block:
                raise OSError(f"the connection ended after {answer!r}")
            answer += block

    def hold(self, client):
        """A user without a name who has logged in."""
        secure = tls.connect(self.port, client)
        secure.sendall(b"<?xml version='1.0'?><stream:stream to='localhost' version='1.0' "
                       b"xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
        self.until(secure, b"</stream:features>")
        secure.sendall(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>")
        self.until(secure, b"<success")
        return secure

    def ask(self, client):
        with self.hold(client) as secure:
            secure.sendall(b"</stream:stream>")
            self.until(secure, b"</stream:stream>")

    def after(self, client):
        """It reads its configuration and its key again."""
        os.kill(self.child.pid, signal.SIGHUP)
        if not process.wait_until(lambda: "eloading" in self.log(), 10):
            return self.log()
        return self.ask(client)
