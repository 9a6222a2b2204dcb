# SPDX-License-Identifier: Apache-2.0
"""FreeRADIUS: how it is started, and asked over EAP-TLS and over RADIUS in TLS."""

import hmac
import os
import pwd
import socket
import struct
import subprocess
import time

from . import tls
from .programs import Service


def free_datagram_port():
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class FreeRadius(Service):
    """Threads, and a user of its own. It listens for RADIUS in TLS and for requests with EAP, with
    the same key."""

    user_inside = "freerad"

    def prepare(self):
        owner = pwd.getpwnam(self.user_inside)
        os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self.own("server.key", self.identity.key, self.user_inside)
        self.datagrams = free_datagram_port()
        # The clients have no preload, and leave the file of their key in the page cache.
        self.client = tls.context(self.identity, with_certificate=True)
        files = (f"private_key_file = {self.path('server.key')}\n"
                 f"certificate_file = {self.identity.certificate}\n"
                 f"ca_file = {self.identity.certificate}\n")
        self.write("radiusd.conf", f"""\
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {self.directory}
max_requests = 16384
run_dir = {self.directory}
raddbdir = {self.directory}
pidfile = {self.path("pid")}
security {{
  user = {self.user_inside}
  group = {self.user_inside}
  allow_core_dumps = no
  status_server = yes
}}
log {{
  destination = files
  file = {self.path("log")}
}}
thread pool {{
  start_servers = 4
  max_servers = 8
  min_spare_servers = 2
  max_spare_servers = 4
}}
client tests {{
  ipaddr = 127.0.0.1
  proto = *
  secret = radsec
  limit {{
    max_connections = 0
  }}
}}
modules {{
  eap {{
    default_eap_type = tls
    tls-config common {{
      {files}
      tls_min_version = "1.2"
      tls_max_version = "1.2"
    }}
    tls {{
      tls = common
    }}
  }}
}}
server default {{
  listen {{
    type = auth
    ipaddr = 127.0.0.1
    port = {self.datagrams}
  }}
  listen {{
    type = auth
    proto = tcp
    ipaddr = 127.0.0.1
    port = {self.port}
    limit {{
      max_connections = 0
    }}
    tls {{
      {files}
      require_client_cert = yes
    }}
  }}
  authorize {{
    eap
  }}
  authenticate {{
    eap
  }}
}}
""")

    def arguments(self):
        return ["/usr/sbin/freeradius", "-f", "-d", self.directory, "-n", "radiusd"]

    def key_file(self):
        return self.path("server.key")

    def hold(self, _client):
        return tls.connect(self.port, self.client)


class RadSec(FreeRadius):
    def ask(self, _client):
        """Status-Server, whose answer is Access-Accept; some of them, one after the other, as a client
        that stays. FreeRADIUS keeps each connection and its secrets for ten seconds after its end, so
        that more connections in that time would need more than the usual RLIMIT_MEMLOCK."""
        answers = []
        with self.hold(None) as secure:
            for number in range(20):
                head, end = struct.pack("!BBH", 12, number, 38) + os.urandom(16), bytes([80, 18])
                secure.sendall(head + end + hmac.digest(b"radsec", head + end + bytes(16), "md5"))
                answers.append(tls.exactly(secure, 20)[:2])
                time.sleep(0.005)
        return None if answers == [bytes([2, number]) for number in range(20)] else answers


class EapTls(FreeRadius):
    """Each client proves that it has the key, by Debian's eapol_test."""

    def prepare(self):
        super().prepare()
        self.write("client", f"""\
network={{
  key_mgmt=WPA-EAP
  eap=TLS
  identity="tests"
  ca_cert="{self.identity.certificate}"
  client_cert="{self.identity.certificate}"
  private_key="{self.identity.key}"
}}
""")

    def ask(self, _client):
        done = subprocess.run(["/usr/bin/eapol_test", "-c", self.path("client"), "-a", "127.0.0.1",
                               "-p", str(self.datagrams), "-s", "radsec", "-t", "20"], check=False,
                              env=self.env.plain(), capture_output=True, text=True, timeout=30)
        return None if done.returncode == 0 and done.stdout.endswith("SUCCESS\n") else done.stdout[-2000:]
