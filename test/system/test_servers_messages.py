# SPDX-License-Identifier: Apache-2.0
"""The register: servers for mail, MQTT, logs and SIP."""

import os
import sys

from harness import keys, mail, memory, messages, process, report, tls
from harness.register import serve


def scenario_postfix(env, rep):
    serve(env, rep, "Postfix", messages.Postfix)


def scenario_exim(env, rep):
    serve(env, rep, "Exim with OpenSSL", mail.Exim)


def scenario_exim_forgets(env, rep):
    """By default it clears its environment, so that the preload is gone after its first reload."""
    identity = keys.Identity(env, "rsa")
    server = mail.EximForgetting(env, identity, env.preloaded())
    rep.ok(memory.has_file(server.child.pid, "libsecretssl"), "it has the preload")
    rep.ok(server.reload(), "it reloads", server.log())
    rep.ok(not memory.has_file(server.child.pid, "libsecretssl"), "it has no preload any more")
    server.stop()


def scenario_prosody(env, rep):
    serve(env, rep, "Prosody", mail.Prosody)


def scenario_mosquitto(env, rep):
    serve(env, rep, "Mosquitto", messages.Mosquitto)


def scenario_rsyslog(env, rep):
    serve(env, rep, "rsyslog", messages.Rsyslog)


def scenario_kamailio(env, rep):
    """It has OpenSSL's objects in memory that its processes share, and does not start where that is
    refused: the one server of the register that needs to be run without the preload."""
    identity = keys.Identity(env, "rsa")
    server = messages.Kamailio(env, identity, env.plain())
    client = tls.context(identity)
    rep.equal([server.ask(client) for _ in range(20)], [None] * 20, "without the preload: serves")
    rep.equal(server.stop().status, 0, "without the preload: ends when asked")
    started = process.Child(env, server.arguments(), server.environment(env.preloaded()),
                            setup=os.setsid)
    result = started.wait(20)
    rep.ok(result.status == 255 and "Unable to set the memory allocation functions" in result.err,
           "with the preload: says so and ends, by itself", result)
    process.expect_messages(rep, [*result.messages, *server.says()], [
        "CRYPTO_set_mem_functions.* are refused.*: libsecretssl's functions stay in use"], "Kamailio with the preload")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
