# SPDX-License-Identifier: Apache-2.0
"""Servers in the words of several languages."""

from .programs import Program


class Script(Program):
    """A server in a language's own words; it says 'died' of a child that a signal ended."""

    interpreter = ()
    source = ""

    def arguments(self):
        script = self.write("script", self.source)
        return [*self.interpreter, script, str(self.port), self.identity.certificate,
                self.identity.key]


class PythonFork(Script):
    interpreter = ("/usr/bin/python3",)
    source = """\
import http.server, os, socketserver, ssl, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello\\n")
    def log_message(self, *_):
        pass

class Server(socketserver.ForkingMixIn, http.server.HTTPServer):
    def collect_children(self, *, blocking=False):
        for pid in set(self.active_children or ()):
            done, status = os.waitpid(pid, 0 if blocking else os.WNOHANG)
            if done:
                self.active_children.discard(done)
                if os.WIFSIGNALED(status):
                    print("died of signal", os.WTERMSIG(status), flush=True)

server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True,
                                    do_handshake_on_connect=False)
server.serve_forever()
"""


class PythonWorkers(Script):
    interpreter = ("/usr/bin/python3",)
    source = """\
import multiprocessing, socket, ssl, sys

def serve(listener, context, number):
    while True:
        plain, _ = listener.accept()
        try:
            with context.wrap_socket(plain, server_side=True) as secure:
                secure.recv(65536)
                secure.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nhello\\n")
                secure.unwrap()
        except OSError:
            pass

if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
    workers = [multiprocessing.Process(target=serve, args=(listener, context, number),
                                       daemon=True) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        print("a worker died:", worker.exitcode, flush=True)
"""

    def ready(self):
        return super().ready() and len(self.processes()) >= 4


class Node(Script):
    interpreter = ("node",)
    source = """\
const https = require('https'), fs = require('fs');
const [port, certificate, key] = process.argv.slice(2);
https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(certificate) },
                   (request, response) => response.end('hello\\n'))
    .listen(Number(port), '127.0.0.1');
"""


class NodeSecureHeap(Node):
    interpreter = ("node", "--secure-heap=65536")


class Php(Script):
    interpreter = ("/usr/bin/php",)
    source = """\
<?php
[$self, $port, $certificate, $key] = $argv;
$context = stream_context_create(['ssl' => ['local_cert' => $certificate, 'local_pk' => $key]]);
$server = stream_socket_server("tls://127.0.0.1:$port", $code, $error,
    STREAM_SERVER_BIND | STREAM_SERVER_LISTEN, $context);
if (!$server) { fwrite(STDERR, "$error\\n"); exit(1); }
for ($i = 0; $i < 2; $i++)
    if (pcntl_fork() == 0) break;
while (true) {
    $client = @stream_socket_accept($server, 3600);
    if (!$client) continue;
    fgets($client);
    fwrite($client, "HTTP/1.0 200 OK\\r\\n\\r\\nhello\\n");
    fclose($client);
}
"""


class Perl(Script):
    interpreter = ("/usr/bin/perl",)
    source = """\
use strict; use warnings; use IO::Socket::SSL;
my ($port, $certificate, $key) = @ARGV;
my $server = IO::Socket::SSL->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 64,
    ReuseAddr => 1, SSL_server => 1, SSL_cert_file => $certificate, SSL_key_file => $key)
    or die "$!, $SSL_ERROR";
$| = 1;
while (1) {
    my $client = $server->accept or next;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        my $line = <$client>;
        print $client "HTTP/1.0 200 OK\\r\\n\\r\\nhello\\n";
        close $client;
        exit 0;
    }
    $client->close(SSL_no_shutdown => 1);
    waitpid $pid, 0;
    print "died of signal ", $? & 127, "\\n" if $? & 127;
}
"""


class Ruby(Script):
    interpreter = ("/usr/bin/ruby",)
    source = """\
require 'openssl'
require 'socket'
port, certificate, key = ARGV
context = OpenSSL::SSL::SSLContext.new
context.cert = OpenSSL::X509::Certificate.new(File.read(certificate))
context.key = OpenSSL::PKey.read(File.read(key))
plain = TCPServer.new('127.0.0.1', Integer(port))
server = OpenSSL::SSL::SSLServer.new(plain, context)
$stdout.sync = true
loop do
  begin
    client = server.accept
  rescue OpenSSL::SSL::SSLError, SystemCallError
    next
  end
  pid = fork do
    client.gets
    client.write("HTTP/1.0 200 OK\\r\\n\\r\\nhello\\n")
    client.close
    exit!
  end
  client.io.close
  Process.wait(pid)
  puts "died of signal #{$?.termsig}" if $?.signaled?
end
"""
