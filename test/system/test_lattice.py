# SPDX-License-Identifier: Apache-2.0
"""Keys that quantum computers do not break: a server with a certificate of ML-DSA agrees on keys by ML-KEM, and a
program holds a key of SLH-DSA. These tests exist where OpenSSL has such keys (3.5); scripts/test matrix runs them."""

import json
import subprocess
import sys

from harness import keys, memory, process, report, tls

GROUP = "X25519MLKEM768"


def scenario_s_server(env, rep):
    for protected in False, True:
        title = "ML-DSA-65 " + ("with the preload" if protected else "without")
        environ = env.chosen(protected)
        identity = keys.Identity(env, "ml-dsa-65")
        server = tls.Server(env, identity, environ, ["-tls1_3", "-www", "-groups", GROUP])
        results = [tls.s_client(env, identity, server.port, environ, ["-tls1_3", "-groups", GROUP]) for _ in range(10)]
        failed = [one for one in results if one.status != 0 or GROUP not in one.out or "HTTP/1.0 200 ok" not in one.out]
        rep.ok(not failed, f"{title}: 10 handshakes, each with a key by {GROUP}", failed[:1])
        memory.check_scan(env, rep, [identity.key], [server.pid], protected, title)
        text = memory.find(server.pid, [identity.pem_line()])
        if protected:
            rep.ok(not text, f"{title}: no line of the key's file", text)
        rep.equal([one.messages for one in results] + [server.stop().messages], [[]] * 11, f"{title}: no message")


def scenario_slh_dsa(env, rep):
    """The private part of such a key is two seeds, without structure."""
    key = env.path("slh.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "SLH-DSA-SHA2-128f", "-out", key], env=env.plain(), check=True,
                   capture_output=True, timeout=60)
    for protected in False, True:
        reader = process.Child(env, [env.helper("read_key"), "pem_bio", key], env.chosen(protected),
                               stdin=subprocess.PIPE)
        reader.wait_for("^ready")
        result = process.run(env, [env.tool, "scan", "--json", "--key", key, str(reader.pid)], env.plain())
        copies = json.loads(result.out)["processes"][0]["copies"]
        title = "SLH-DSA " + ("with the preload" if protected else "without")
        rep.equal((bool(copies), result.status), (not protected, 0 if protected else 1), f"{title}: {len(copies)} copies")
        reader.stop()


if __name__ == "__main__":
    report.main(sys.modules[__name__])
