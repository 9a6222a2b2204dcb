# SPDX-License-Identifier: Apache-2.0
"""nginx with a configuration of its own, a master and four workers."""

import os
import re
import signal

from . import process, tls

CONFIGURATION = """\
daemon {daemon};
worker_processes 4;
pid {directory}/nginx.pid;
error_log {directory}/error.log {level};
{main}
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    ssl_session_cache {cache};
    server {{
        listen 127.0.0.1:{port} ssl;
        {certificates}
        ssl_protocols TLSv1.2 TLSv1.3;
        {server}
        location / {{ return 200 "hello\\n"; }}
    }}
}}
"""


class Nginx:
    connections, level = 256, "info"
    wrapper = ()  # a program that becomes nginx, and its arguments

    def __init__(self, env, identities, environ, main="", daemon=False,
                 cache="shared:tests:1m", server=""):
        self.env, self.directory = env, env.path(f"nginx-{len(os.listdir(env.directory))}")
        os.mkdir(self.directory)
        os.chmod(self.directory, 0o755)
        self.identities = identities
        certificates = "\n        ".join(
            f"ssl_certificate {one.certificate}; ssl_certificate_key {one.key};"
            for one in identities)
        for _ in range(5):
            self.port = tls.free_port()
            with open(self.path("nginx.conf"), "w", encoding="ascii") as file:
                file.write(CONFIGURATION.format(
                    directory=self.directory, port=self.port, main=main, cache=cache, server=server,
                    certificates=certificates, daemon="on" if daemon else "off",
                    connections=self.connections, level=self.level))
            self.child = process.Child(
                env, [*self.wrapper, "/usr/sbin/nginx", "-p", self.directory, "-c", self.path("nginx.conf")],
                environ)
            process.wait_until(lambda: self.ready() or self.child.popen.poll(), 20)
            if self.ready():
                return
            # Somebody else may have taken the port since: the next one.
            result = self.child.stop()
            if "Address already in use" not in self.log() + result.err:
                break
        raise RuntimeError(f"nginx does not start\n{result}\n{self.log()}")

    def path(self, name):
        return os.path.join(self.directory, name)

    def ready(self):
        return len(self.workers()) == 4 and tls.listening(self.port)

    @property
    def master(self):
        """The process id in the pid file, None while there is none."""
        try:
            with open(self.path("nginx.pid"), encoding="ascii") as file:
                return int(file.read())
        except (FileNotFoundError, ValueError):
            return None

    def workers(self):
        return [pid for pid in process.children(self.master) if b"worker process" in self.title(pid)]

    def settled(self, killed=()):
        """Whether four workers serve, no other is there, and the master knows of the killed."""
        workers = self.workers()
        ended = self.done() | {pid for pid, _ in self.deaths()}
        return len(workers) == 4 and ended.issuperset(killed) and not any(
            b"shutting down" in title for title in map(self.title, workers))

    @staticmethod
    def title(pid):
        """What a process calls itself; empty if it has gone."""
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return file.read()
        except (FileNotFoundError, ProcessLookupError):
            return b""

    def log(self):
        return process.text_of(self.path("error.log"))

    def deaths(self):
        """(pid, signal) of every worker that a signal ended."""
        return [(int(pid), int(number)) for pid, number in
                re.findall(r"process (\d+) exited on signal (\d+)", self.log())]

    def done(self):
        """Process ids of the workers that ended by themselves."""
        return {int(pid) for pid in re.findall(r"process (\d+) exited with code 0", self.log())}

    def grave(self, killed=()):
        """Lines of level alert or emerg, but for those about workers that were killed."""
        about_killed = [rf"process {pid} exited on signal 9|was locked by {pid}$" for pid in killed]
        return [line for line in self.log().splitlines()
                if re.search(r"\[(alert|emerg)\]", line)
                and not any(re.search(pattern, line) for pattern in about_killed)]

    def reload(self):
        """Asks for a reload, and waits until workers of a new generation have started."""
        before = len(re.findall(r"reconfiguring", self.log()))
        old = set(self.workers())
        os.kill(self.master, signal.SIGHUP)
        process.wait_until(lambda: len(re.findall(r"reconfiguring", self.log())) > before)
        return process.wait_until(lambda: len(set(self.workers()) - old) >= 4)

    def stop(self):
        master = self.master
        if master and process.alive(master):
            os.kill(master, signal.SIGTERM)
            process.wait_until(lambda: not process.alive(master))
        return self.child.wait(10)
