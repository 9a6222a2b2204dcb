# SPDX-License-Identifier: Apache-2.0
"""Prosody: how it is started, and asked."""

import os
import pwd
import signal

from . import process, tls
from .programs import Service


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
