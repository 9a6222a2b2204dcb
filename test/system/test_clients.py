# SPDX-License-Identifier: Apache-2.0
"""curl, node and openssl as clients and servers, and bystanders without libcrypto."""

import os
import subprocess
import sys

from harness import keys, memory, process, report, tls

NODE_SERVER = """
const https = require('https'), fs = require('fs');
const server = https.createServer(
    { key: fs.readFileSync(process.argv[2]), cert: fs.readFileSync(process.argv[3]) },
    (request, response) => response.end('hello\\n'));
server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port));
"""

NODE_WORKER = """
const crypto = require('crypto');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
if (isMainThread) {
    const kinds = [['rsa', { modulusLength: 2048 }], ['ec', { namedCurve: 'P-256' }],
                   ['ed25519', {}]];
    let left = kinds.length * 2;
    for (let turn = 0; turn < 2; turn++)
        for (const kind of kinds)
            new Worker(__filename, { workerData: kind }).on('message', (good) => {
                if (good) console.log('signed');
                if (--left == 0) console.log('done');
            });
} else {
    const { privateKey, publicKey } = crypto.generateKeyPairSync(...workerData);
    const algorithm = workerData[0] == 'ed25519' ? null : 'sha256';
    let good = true;
    for (let i = 0; i < 20; i++) {
        const text = crypto.randomBytes(1000);
        good = good && crypto.verify(algorithm, text, publicKey,
                                     crypto.sign(algorithm, text, privateKey));
    }
    parentPort.postMessage(good);
}
"""


def scenario_curl(env, rep):
    """curl with a client certificate, looked at while it waits for the answer."""
    identity = keys.Identity(env, "rsa")
    for protected in False, True:
        title = "curl with the preload" if protected else "curl without"
        server = tls.HoldingServer(identity, ask_certificate=True)
        curl = process.Child(
            env, ["curl", "-sS", "--max-time", "60", "--cacert", identity.certificate, "--cert",
                  identity.certificate, "--key", identity.key,
                  f"https://localhost:{server.port}/"], env.chosen(protected))
        rep.ok(server.connected.wait(30) and server.peer, f"{title}: shows its certificate",
               server.error)
        memory.check_scan(env, rep, [identity.key], [curl.pid], protected, title)
        numbers = memory.find(curl.pid, identity.private_numbers())
        rep.ok(bool(numbers) != protected, f"{title}: private numbers seen by a second scanner",
               numbers)
        server.close()
        result = curl.wait(30)
        rep.equal((result.status, result.out, result.err), (0, "hello", ""), f"{title}: answer")


def scenario_node_server(env, rep):
    """node carries libcrypto in its executable. Its own buffers hold the PEM text and it is
    not ours to clear; OpenSSL's numbers are."""
    identity = keys.Identity(env, "rsa")
    with open(env.path("server.js"), "w", encoding="ascii") as file:
        file.write(NODE_SERVER)
    for protected in False, True:
        title = "node with the preload" if protected else "node without"
        node = process.Child(
            env, ["node", env.path("server.js"), identity.key, identity.certificate],
            env.chosen(protected))
        port = int(node.wait_for(r"^port (\d+)")[1])
        client = tls.context(identity)
        pages = [tls.fetch(port, client) for _ in range(10)]
        rep.ok(all(b"hello" in page for page in pages), f"{title}: ten handshakes and pages")
        # Little-endian words: how a BIGNUM has them, and nothing of node's.
        numbers = memory.find(node.pid, identity.private_numbers())
        rep.ok(bool(numbers) != protected, f"{title}: private numbers in readable memory",
               numbers)
        rep.equal(memory.is_protected(node.pid), protected, f"{title}: secret memory")
        result = node.stop()
        rep.equal(result.err, "", f"{title}: no message")


def scenario_node_worker(env, rep):
    """Key generation and signatures in several threads of node."""
    with open(env.path("worker.js"), "w", encoding="ascii") as file:
        file.write(NODE_WORKER)
    for protected in False, True:
        result = process.run(env, ["node", env.path("worker.js")], env.chosen(protected))
        rep.equal((result.status, result.out.count("signed"), "done" in result.out, result.err),
                  (0, 6, True, ""), "keys and signatures in workers of node, "
                  + ("with the preload" if protected else "without"))


def bystander(env, rep, command, environ, title):
    """A program without libcrypto, while it waits: what is mapped, open and running in it."""
    child = process.Child(env, command, environ, stdin=subprocess.PIPE)
    if command[0] == "cat":
        child.popen.stdin.write(b"ready\n")
        child.popen.stdin.flush()
    child.wait_for("^ready")
    seen = {
        "secret": memory.secret_bytes(child.pid),
        "libcrypto": memory.has_file(child.pid, "libcrypto"),
        "descriptors": sorted(os.listdir(f"/proc/{child.pid}/fd")),
        "threads": len(os.listdir(f"/proc/{child.pid}/task")),
    }
    loaded = memory.has_file(child.pid, "libsecretssl")
    child.popen.stdin.close()
    result = child.wait(10)
    rep.equal((result.status, result.err), (0, ""), f"{title}: ends well and says nothing")
    return seen, loaded


def scenario_bystanders(env, rep):
    """A shell under the preload is left exactly as it was."""
    for command in ["sh", "-c", "echo ready; read line; exit 0"], ["cat"]:
        before, absent = bystander(env, rep, command, env.plain(), f"{command[0]} without")
        after, loaded = bystander(env, rep, command, env.preloaded(), f"{command[0]} with")
        rep.equal((absent, loaded), (False, True), f"{command[0]}: the preload is in it")
        rep.equal(after, before, f"{command[0]}: no secret memory, libcrypto, file or thread")
    settings = {"SECRETSSL_REQUIRE": "1", "SECRETSSL_STATS": "1", "SECRETSSL_PREFAULT": "1M"}
    result = process.run(env, ["true"], env.preloaded(**settings))
    rep.equal((result.status, result.out, result.err), (0, "", ""), "true, with settings")


def scenario_openssl_commands(env, rep):
    """openssl's own commands give the same results with the preload."""
    key = tls.key_file(env, "key.pem", ["genpkey", "-algorithm", "RSA", "-pkeyopt",
                                        "rsa_keygen_bits:2048"])
    for command in (["version"], ["pkey", "-in", key, "-text"], ["dgst", "-sha256", key],
                    ["dgst", "-sha256", "-sign", key, "-hex", key], ["rand", "-hex", "0"],
                    ["list", "-providers"], ["rsa", "-in", key, "-check", "-noout"]):
        plain = process.run(env, ["openssl", *command], env.plain())
        with_us = process.run(env, ["openssl", *command],
                              env.preloaded(SECRETSSL_REQUIRE="1"))
        rep.equal((with_us.status, with_us.out, with_us.err),
                  (plain.status, plain.out, plain.err), f"openssl {' '.join(command[:2])}")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
