# SPDX-License-Identifier: Apache-2.0
"""Debian's servers for messages: mail, MQTT, logs and SIP; how each is started, and asked."""

import glob
import os
import pwd
import threading

from . import process, tls
from .programs import Service


class Postfix(Service):
    """A master, and smtpd and others that it executes anew. They take from the environment what they
    are told to, and leave root for a user of their own."""

    steady = False
    programs = "/usr/lib/postfix/sbin"

    def prepare(self):
        owner = pwd.getpwnam("postfix")
        for name in ("conf", "data", "queue", "queue/pid", "queue/public", "queue/private",
                     *(f"queue/{one}" for one in ("maildrop", "incoming", "active", "deferred",
                                                  "defer", "bounce", "hold", "corrupt", "flush"))):
            os.makedirs(self.path(name), exist_ok=True)
            if name not in ("conf", "queue", "queue/pid"):
                os.chown(self.path(name), owner.pw_uid, owner.pw_gid)
        self.write("conf/main.cf", f"""\
compatibility_level = 3.6
queue_directory = {self.path("queue")}
data_directory = {self.path("data")}
daemon_directory = {self.programs}
command_directory = /usr/sbin
maillog_file = {self.path("queue")}/log
maillog_file_prefixes = {self.path("queue")}
import_environment = MAIL_CONFIG TZ LANG=C LD_PRELOAD SECRETSSL_LOG SECRETSSL_REQUIRE
myhostname = localhost
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination = localhost
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8
smtpd_tls_security_level = encrypt
smtpd_tls_wrappermode = yes
smtpd_tls_key_file = {self.identity.key}
smtpd_tls_cert_file = {self.identity.certificate}
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
""")
        self.write("conf/master.cf", f"""\
127.0.0.1:{self.port} inet n - n - 4 smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
anvil unix - - n - 1 anvil
discard unix - - n - - discard
proxymap unix - - n - - proxymap
local unix - n n - - discard
""")

    def arguments(self):
        return [f"{self.programs}/master", "-c", self.path("conf"), "-d"]

    def log(self):
        return process.text_of(self.path("queue/log"))

    def hold(self, client):
        """A connection that was greeted."""
        secure = tls.connect(self.port, client)
        greeting = secure.recv(4096)
        if not greeting.startswith(b"220 "):
            raise OSError(f"the greeting is {greeting!r}")
        return secure

    def ask(self, client):
        """A message; each command has an answer of one line."""
        with self.hold(client) as secure:
            for command, code in ("HELO localhost", b"250"), ("MAIL FROM:<tests@localhost>", b"250"), \
                    ("RCPT TO:<tests@localhost>", b"250"), ("DATA", b"354"), \
                    ("Subject: hello\r\n\r\nhello\r\n.", b"250"), ("QUIT", b"221"):
                secure.sendall(command.encode() + b"\r\n")
                answer = secure.recv(4096)
                if not answer.startswith(code):
                    return command, answer
        return None


class Mosquitto(Service):
    def prepare(self):
        self.write("conf", f"""\
listener {self.port} 127.0.0.1
cafile {self.identity.certificate}
certfile {self.identity.certificate}
keyfile {self.identity.key}
allow_anonymous true
user root
log_dest stderr
""")

    def arguments(self):
        return ["/usr/sbin/mosquitto", "-c", self.path("conf")]

    def ask(self, client):
        """CONNECT of MQTT 3.1.1 without a name, and PINGREQ."""
        with tls.connect(self.port, client) as secure:
            secure.sendall(b"\x10\x0c\0\4MQTT\4\2\0\x3c\0\0")
            answer = secure.recv(4)
            secure.sendall(b"\xc0\0")
            answer += secure.recv(2)
        return None if answer == b"\x20\2\0\0\xd0\0" else answer


class Rsyslog(Service):
    """Receives lines over TLS, and writes them to a file."""

    def __init__(self, *arguments):
        self.sent, self.lock = 0, threading.Lock()
        super().__init__(*arguments)

    def prepare(self):
        self.write("conf", f"""\
global(workDirectory="{self.directory}"
       defaultNetstreamDriver="ossl"
       defaultNetstreamDriverCAFile="{self.identity.certificate}"
       defaultNetstreamDriverCertFile="{self.identity.certificate}"
       defaultNetstreamDriverKeyFile="{self.identity.key}")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" address="127.0.0.1" port="{self.port}")
action(type="omfile" file="{self.path("log")}")
""")

    def arguments(self):
        return ["/usr/sbin/rsyslogd", "-n", "-f", self.path("conf"), "-i", self.path("pid")]

    def ask(self, client):
        with self.lock:
            self.sent += 1
            line = f"line {self.sent} of the tests"
        with tls.connect(self.port, client) as secure:
            secure.sendall(f"<13>Jan  1 00:00:00 localhost tests: {line}\n".encode())
            there = process.wait_until(lambda: f"{line}\n" in self.log(), 10)
            # An end that is not announced costs other connections their lines (8.2302), with the
            # preload and without.
            secure.unwrap()
        return None if there else f"no {line!r}"


class Kamailio(Service):
    """Installs memory functions of its own for OpenSSL, to have its objects in memory that its processes
    share, and does not start without."""

    modules = max(glob.glob("/usr/lib/*/kamailio/modules"), default=None)

    def prepare(self):
        self.write("tls.cfg", f"""\
[server:default]
method = TLSv1.2+
private_key = {self.identity.key}
certificate = {self.identity.certificate}
""")
        self.write("conf", f"""\
debug=2
log_stderror=yes
fork=yes
children=2
enable_tls=yes
listen=tls:127.0.0.1:{self.port}
loadmodule "tls.so"
loadmodule "sl.so"
modparam("tls", "config", "{self.path("tls.cfg")}")
request_route {{
    sl_send_reply("200", "hello");
}}
""")

    def arguments(self):
        return ["/usr/sbin/kamailio", "-DD", "-E", "-f", self.path("conf"), "-L", self.modules, "-Y",
                self.directory, "-m", "16", "-M", "8"]

    def ask(self, client):
        with tls.connect(self.port, client) as secure:
            secure.sendall(b"OPTIONS sip:tests@localhost SIP/2.0\r\n"
                           b"Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK1\r\n"
                           b"From: <sip:a@localhost>;tag=1\r\nTo: <sip:b@localhost>\r\n"
                           b"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 9\r\n"
                           b"Content-Length: 0\r\n\r\n")
            answer = secure.recv(65536)
        return None if answer.startswith(b"SIP/2.0 200 hello") else answer
