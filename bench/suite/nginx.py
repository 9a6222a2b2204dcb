# SPDX-License-Identifier: Apache-2.0
"""An nginx of our own: master and one worker, its own prefix, a free loopback port."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from suite import process
from suite.errors import BenchError

BULK_PATH = "/bulk"
IDLE_PATH = "/idle"
START_SECONDS = 10
STOP_SECONDS = 10
PORT_ATTEMPTS = 5

CONFIG = """
daemon off;
worker_processes 1;
pid nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path tmp-body;
    proxy_temp_path tmp-proxy;
    fastcgi_temp_path tmp-fastcgi;
    uwsgi_temp_path tmp-uwsgi;
    scgi_temp_path tmp-scgi;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    ssl_protocols TLSv1.3;
    ssl_session_cache off;
    ssl_session_tickets off;
    server {{
        listen 127.0.0.1:{port} ssl backlog=1024;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        root html;
        location {idle} {{ return 204; }}
    }}
}}
"""


def find():
    """Path of the nginx executable, which ordinary users do not have in PATH."""
    path = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        raise BenchError("nginx is not installed; scripts/setup installs it")
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    """Running from the start to the end of a with block, workers on one CPU."""

    def __init__(self, executable, environment, certificate, cpu, bulk_bytes=0):
        self._executable = executable
        self._environment = environment
        self._certificate = certificate
        self._cpu = cpu
        self._bulk_bytes = bulk_bytes
        self._master = None
        self.port = None
        self.workers = []

    def __enter__(self):
        self._directory = tempfile.mkdtemp(prefix="bench-nginx-")
        try:
            # The worker gives up root, and serves from here.
            os.chmod(self._directory, 0o755)
            os.mkdir(os.path.join(self._directory, "html"))
            with open(os.path.join(self._directory, "html" + BULK_PATH), "wb") as file:
                file.write(os.urandom(self._bulk_bytes))
            for attempt in range(PORT_ATTEMPTS):
                if self._start():
                    break
            else:
                raise BenchError(f"{PORT_ATTEMPTS} free ports in a row were taken by others")
            for worker in self.workers:
                os.sched_setaffinity(worker, {self._cpu})
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *unused):
        self._stop()

    def _path(self, name):
        return os.path.join(self._directory, name)

    def _start(self):
        """Whether nginx came up; it does not if somebody else took the port meanwhile."""
        self.port = free_port()
        with open(self._path("nginx.conf"), "w", encoding="utf-8") as file:
            file.write(
                CONFIG.format(
                    port=self.port,
                    certificate=self._certificate + ".crt",
                    key=self._certificate + ".key",
                    idle=IDLE_PATH,
                )
            )
        with open(self._path("stderr"), "ab") as errors:
            self._master = subprocess.Popen(
                [self._executable, "-p", self._directory, "-c", "nginx.conf", "-e", "error.log"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._master.poll() is not None:
                if "Address already in use" in self._last_error():
                    return False
                raise BenchError(f"nginx does not start: {self._last_error()}")
            self.workers = process.children(self._master.pid)
            if self.workers and self._answers():
                return True
            time.sleep(0.01)
        raise BenchError(f"nginx does not answer after {START_SECONDS} s: {self._last_error()}")

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _last_error(self):
        for name in ("error.log", "stderr"):
            try:
                with open(self._path(name), encoding="utf-8", errors="replace") as file:
                    lines = file.read().strip().split("\n")
            except OSError:
                continue
            if lines[-1]:
                return lines[-1]
        return f"it said nothing and ended with status {self._master.poll()}"

    def _stop(self):
        if self._master is not None and self._master.poll() is None:
            workers = process.children(self._master.pid)
            self._master.send_signal(signal.SIGTERM)
            try:
                self._master.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                for pid in workers:
                    os.kill(pid, signal.SIGKILL)
                self._master.kill()
                self._master.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def cpu_ns(self):
        """CPU time of the workers so far."""
        time.sleep(0.02)  # what follows the last answer: closing, logging, sleeping
        return sum(process.cpu_ns(worker) for worker in self.workers)

    def messages(self):
        """What the processes printed, the preload's messages among it."""
        with open(self._path("stderr"), encoding="utf-8", errors="replace") as file:
            return [line.strip() for line in file if line.strip()]


def idle_steps(context, side, server, counts):
    """Opens so many connections that stay idle, step by step; yields each count as it is reached."""
    command = context.helper("tls-load", "idle", server.port, IDLE_PATH)
    client = context.start(command, cpu=context.client_cpu)
    try:
        for connections in counts:
            client.stdin.write(f"{connections}\n")
            client.stdin.flush()
            if client.stdout.readline().strip() != str(connections):
                raise BenchError(f"the client could not open {connections} connections")
            yield connections
        context.check_side(side, server.workers[0], "the nginx worker", 4)
    finally:
        client.stdin.close()
        client.wait()
        client.stdout.close()
    for message in server.messages():
        context.hear(message)
