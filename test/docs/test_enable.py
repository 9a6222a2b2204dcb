# SPDX-License-Identifier: Apache-2.0
"""secretssl enable, disable and status, under a systemd of their own: servers, hardened units, services
that do not come up protected, and what is refused. For each server the control is the same unit
without the drop-in, which shows its key."""

import json
import math
import os
import re
import sys

import machine
import pages
import scenario
import services
from harness import report

sys.path.insert(0, os.path.join(pages.ROOT, "bench"))
from suite import sizing  # noqa: E402

KEY = "/etc/ssl/private/example.key"
ENABLE = f"secretssl enable --now --key {KEY}"
STUNNEL = services.KEY + """
cat /etc/ssl/private/example.key /etc/ssl/certs/example.pem >/etc/stunnel/example.pem
printf 'foreground = yes\\n[web]\\naccept = 127.0.0.1:444\\nconnect = 127.0.0.1:80\\n' \
    >/etc/stunnel/example.conf
printf 'cert = /etc/stunnel/example.pem\\n' >>/etc/stunnel/example.conf
"""


def drop_in(unit):
    return f"/etc/systemd/system/{unit}.service.d/secretssl.conf"


def text_of(scratch, unit):
    return scratch.run(f"cat {drop_in(unit)} 2>/dev/null").out


def state(scratch, unit):
    """What stat says of the unit's main process."""
    return scratch.run(f"secretssl stat $(systemctl show --value --property=MainPID {unit})").out


def check_server(scratch, rep, unit, program, least):
    """Unprotected at first; enabled, restarted by hand; disabled, and as at first."""
    scratch.run(f"systemctl restart {unit}; sleep 0.5")
    count, found = services.copies(scratch, program)
    rep.ok(count >= least and found > 0, f"{unit}: the control: {count} processes show the key", found)
    done = scratch.run(f"secretssl status {unit}")
    rep.ok(done.status == 1 and "not enabled" in done.out, f"{unit}: status before", done)
    done = scratch.run(f"{ENABLE} {unit}")
    rep.ok(done.status == 0 and f"{unit}.service: protected: " in done.out, f"{unit}: enabled, searched", done)
    done = scratch.run(f"systemctl restart {unit} && sleep 0.5 && secretssl status {unit}")
    rep.ok(done.status == 0 and "enabled by" in done.out and " protected;" in done.out,
           f"{unit}: restarted: status", done)
    count, found = services.copies(scratch, program)
    rep.ok(count >= least and found == 0, f"{unit}: restarted: {count} processes, no copies", found)
    for again in f"secretssl enable --now {unit}", f"{ENABLE} {unit}":
        done = scratch.run(again)
        rep.ok(done.status == 0 and "protected already" in done.out, f"{unit}: enabled again", done)
    done = scratch.run(f"secretssl disable --now {unit}")
    rep.ok(done.status == 0 and "runs without libsecretssl" in done.out, f"{unit}: disabled", done)
    rep.equal(text_of(scratch, unit), "", f"{unit}: disabled: the drop-in is gone")
    rep.ok(": unprotected: " in state(scratch, unit), f"{unit}: disabled: unprotected again")


def scenario_nginx(env, rep):
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(services.NGINX)
        check_server(scratch, rep, "nginx", "nginx", 2)


def scenario_apache(env, rep):
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(services.APACHE)
        check_server(scratch, rep, "apache2", "apache2", 3)


def scenario_haproxy(env, rep):
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(services.HAPROXY)
        check_server(scratch, rep, "haproxy", "haproxy", 2)


def scenario_stunnel(env, rep):
    """A template's instance, of Type=simple."""
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(STUNNEL)
        check_server(scratch, rep, "stunnel@example", "stunnel4", 1)


def scenario_postgresql(env, rep):
    """PostgreSQL, whose server does not get the unit's environment."""
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(services.POSTGRESQL)
        done = scratch.run(f"{ENABLE} postgresql@15-main")
        rep.ok(done.status == 1 and "/etc/postgresql/15/main/environment first" in done.err
               and not text_of(scratch, "postgresql@15-main"), "the lines are missing: refused", done)
        lines = re.findall(r"(LD_PRELOAD = '[^']*'|SECRETSSL_REQUIRE = '1')", done.err)
        rep.equal(len(lines), 2, "the message has them")
        scratch.run("cd /etc/postgresql/15/main; cp environment /root; printf '%s\\n' "
                    + " ".join(f'"{line}"' for line in lines) + " >>environment")
        done = scratch.run(f"{ENABLE} postgresql@15-main")
        rep.ok(done.status == 0 and ": protected: " in done.out and "GnuTLS" in done.err, "enabled", done)
        rep.ok(" stat --wait" in text_of(scratch, "postgresql@15-main"), "not strictly, because of GnuTLS")
        count, found = services.copies(scratch, "postgres")
        rep.ok(count >= 4 and found == 0, f"{count} processes, no copies", found)
        scratch.run("cp /root/environment /etc/postgresql/15/main; "
                    "secretssl disable --now postgresql@15-main; sleep 0.5")
        rep.ok(services.copies(scratch, "postgres")[1] > 0, "disabled, without the lines: shows its key")


SERVER = "/usr/bin/openssl s_server -quiet -accept {port} -cert /etc/ssl/certs/example.pem -key {key}"
CREDENTIAL = "LoadCredential=key:/etc/ssl/private/example.key"
OTHER = """ExecStart=/usr/bin/python3 -c "import ssl, ctypes, time; ctypes.CDLL('libgnutls.so.30'); \
ssl.create_default_context().load_cert_chain('/etc/ssl/certs/example.pem', '{key}'); time.sleep(1000)"
""".format(key=KEY)
# (name, lines of [Service], whether memfd_secret must be allowed)
HARDENED = (
    ("dynamic", "DynamicUser=yes\nSystemCallFilter=@system-service\nSystemCallErrorNumber=EPERM", True),
    ("user", "User=www-data\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nNoNewPrivileges=yes\n"
             "CapabilityBoundingSet=CAP_NET_BIND_SERVICE", False),
    ("strict", "DynamicUser=yes\nProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\nPrivateDevices=yes\n"
               "ProtectProc=invisible\nProcSubset=pid\nProtectKernelTunables=yes\nProtectControlGroups=yes\n"
               "MemoryDenyWriteExecute=yes\nLockPersonality=yes\nRestrictNamespaces=yes\nRestrictSUIDSGID=yes\n"
               "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\nSystemCallArchitectures=native\n"
               "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged", True),
    ("deny", "User=www-data\nSystemCallFilter=~@mount @module memfd_secret", True),
    ("denyother", "User=www-data\nSystemCallFilter=~@mount @module", False),
    ("preloads", "Type=exec\nEnvironment=\"A=b c\" \"LD_PRELOAD=/usr/$LIB/libz.so.1\"", False),
)


def write_unit(scratch, name, lines, program):
    scratch.write(f"/etc/systemd/system/{name}.service", f"[Service]\n{lines}\n{program}\n")


def scenario_hardened(env, rep):
    """Each of the usual ways to harden a unit; DynamicUser among them."""
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(services.KEY)
        for number, (name, lines, _) in enumerate(HARDENED):
            server = SERVER.format(port=7000 + number, key="${CREDENTIALS_DIRECTORY}/key")
            write_unit(scratch, name, lines, f"{CREDENTIAL}\nExecStart={server}")
        scratch.run("systemctl daemon-reload")
        for name, _, allowed in HARDENED:
            done = scratch.run(f"secretssl enable --now {name}")
            rep.ok(done.status == 0 and ": protected: 1 processes" in done.out, f"{name}: enabled", done)
            text = text_of(scratch, name)
            rep.equal("SystemCallFilter=memfd_secret" in text, allowed, f"{name}: whether the call is allowed")
        rep.ok("libsecretssl.so:/usr/$LIB/libz.so.1" in text, "what a unit preloads stays", text)
        # Again, with other sizes: what the first drop-in allowed is still allowed.
        done = scratch.run("secretssl enable --dry-run --memlock=600M dynamic; "
                           "secretssl enable --dry-run --connections=1000000 dynamic")
        rep.equal((done.out.count("SystemCallFilter=memfd_secret"), "LimitMEMLOCK=600M" in done.out,
                   max(map(int, re.findall(r"LimitMEMLOCK=(\d+)M", done.out))) > 20000), (2, True, True),
                  "other sizes")
        rep.equal((done.out.count("is as --memlock gives it"), done.out.count("1000000 connections")), (1, 1),
                  "what the limit is for")
        # TLS that is not OpenSSL's shows in the running unit.
        write_unit(scratch, "other", "", OTHER)
        done = scratch.run("systemctl daemon-reload; systemctl start other; sleep 2; secretssl enable --now other")
        rep.ok(done.status == 0 and "note: GnuTLS" in done.err and " stat --wait" in text_of(scratch, "other"),
               "GnuTLS beside OpenSSL: not strictly", done)
        # The control: with the filter and without our line, the service gets no secret memory.
        scratch.run(f"sed -i /SystemCallFilter/d {drop_in('dynamic')}; systemctl daemon-reload")
        done = scratch.run("systemctl restart dynamic; systemctl is-active dynamic; true")
        rep.ok(done.out.strip() != "active", "the control: without the line it does not start", done)


# A server that looks like one and lacks something
CLEARS = "ExecStart=/usr/bin/env --unset=LD_PRELOAD " + SERVER.format(port=7100, key=KEY)
REFUSES = "ExecStart=/bin/sh -c 'test -z \"$LD_PRELOAD\" && exec " + SERVER.format(port=7101, key=KEY) + "'"
COPIES = """ExecStart=/usr/bin/python3 -c "import ssl, time; text = open('{key}').read(); \
context = ssl.create_default_context(); context.load_cert_chain('/etc/ssl/certs/example.pem', '{key}'); \
time.sleep(1000)"
""".format(key=KEY)


def state_of(scratch, unit):
    """(active or not, text of its drop-in, what systemd runs it with)"""
    return (scratch.run(f"systemctl is-active {unit}").out.strip(), text_of(scratch, unit),
            scratch.run(f"systemctl show {unit} --property=Environment,LimitMEMLOCK").out)


def scenario_put_back(env, rep):
    """A service that does not come up protected is as before: running or not, with its drop-in or none."""
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(services.KEY)
        for name, program in ("clears", CLEARS), ("refuses", REFUSES), ("copies", COPIES):
            write_unit(scratch, name, "", program)
        scratch.run("systemctl daemon-reload; systemctl start clears copies")
        for unit, said in (("clears", "not fully protected (unprotected)"), ("refuses", "does not start")):
            before = state_of(scratch, unit)
            done = scratch.run(f"secretssl enable --now {unit}")
            rep.ok(done.status == 1 and said in done.err and "everything is as before" in done.err
                   and not done.out, f"{unit}: refused", done)
            rep.equal(state_of(scratch, unit), before, f"{unit}: as before ({before[0]})")
        rep.equal(scratch.run("systemctl is-failed refuses").out.strip(), "inactive", "and not failed")

        done = scratch.run("secretssl enable --now copies")
        rep.equal(done.status, 0, "a program with copies of its own, not searched: enabled")
        before = state_of(scratch, "copies")
        done = scratch.run(f"{ENABLE} --memlock=700M copies")
        rep.ok(done.status == 1 and re.search(r"[1-9]\d* cop", done.err)
               and "everything is as before" in done.err, "searched: refused", done)
        rep.equal(state_of(scratch, "copies"), before, "with the drop-in from before")
        rep.ok("LimitMEMLOCK=512M" in before[1], "which was another", before[1])

        # The other way round: a service that does not start without the preload
        write_unit(scratch, "needs", "", REFUSES.replace("test -z", "test -n"))
        done = scratch.run("systemctl daemon-reload; secretssl enable --now needs")
        before = state_of(scratch, "needs")
        rep.equal((done.status, before[0]), (0, "active"), "needs: enabled")
        done = scratch.run("secretssl disable --now needs")
        rep.ok(done.status == 1 and "which is put back" in done.err, "needs: not disabled", done)
        rep.equal(state_of(scratch, "needs"), before, "needs: as before")

        # What cannot be put back: a service that starts once
        once = REFUSES.replace("7101", "7102").replace('test -z "$LD_PRELOAD"', "mkdir /run/once")
        write_unit(scratch, "once", "", once)
        done = scratch.run("systemctl daemon-reload; systemctl start once; sleep 1; secretssl enable --now once")
        rep.ok(done.status == 3 and "does not run as before" in done.err
               and "everything is as before" not in done.err, "a service that starts once: status 3", done)


# Interrupted when the drop-in is there
INTERRUPT = """
secretssl enable --now clears &
while [ ! -e {path} ]; do sleep 0.05; done
sleep 0.5
kill $!
wait $!
"""


def scenario_interrupted(env, rep):
    """A command that is interrupted puts everything back; so does one whose settings are replaced."""
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(services.KEY)
        write_unit(scratch, "clears", "", CLEARS)
        scratch.run("systemctl daemon-reload; systemctl start clears")
        before = state_of(scratch, "clears")
        done = scratch.run(INTERRUPT.format(path=drop_in("clears")))
        rep.ok(done.status == 1 and "everything is as before" in done.err, "interrupted", done)
        rep.equal(state_of(scratch, "clears"), before, "interrupted: as before")
        rep.equal(before[0], "active", "which is running")

        # A drop-in that takes the setting away again
        scratch.write("/etc/systemd/system/clears.service.d/zz.conf", "[Service]\nEnvironment=\n")
        done = scratch.run("systemctl daemon-reload; secretssl enable clears")
        rep.ok(done.status == 1 and "replaces Environment=LD_PRELOAD" in done.err
               and not text_of(scratch, "clears"), "another drop-in replaces it: refused", done)


REFUSED = (
    # (name, lines, what is said)
    ("chroot", "RootDirectory=/srv\nExecStart=/bin/true", "RootDirectory=/srv"),
    ("file", "EnvironmentFile=/root/file.env\nExecStart=/bin/true", "/root/file.env (EnvironmentFile="),
    ("unset", "UnsetEnvironment=LD_PRELOAD\nExecStart=/bin/true", "UnsetEnvironment="),
    ("byhand", "Environment=LD_PRELOAD=/usr/lib/libsecretssl.so\nExecStart=/bin/true", "did not write"),
    ("static", "ExecStart=/sbin/ldconfig", "linked statically"),
    ("setid", "User=www-data\nExecStart=/usr/bin/passwd", "set-id"),
    ("absent", "ExecStart=/no/such/program", "cannot be executed"),
    ("once", "Type=oneshot\nExecStart=/bin/true", "Type=oneshot"),
    ("notls", "ExecStart=/bin/sleep 1000", "nothing to protect"),
    ("foreign", "ExecStart=/bin/sleep 1000", "was not written by"),
)


def scenario_refused(env, rep):
    """One line says what is in the way, and nothing is written."""
    with machine.Machine(env, scenario.staged(env)) as scratch:
        for name, lines, _ in REFUSED:
            write_unit(scratch, name, lines, "")
        write_unit(scratch, "tmp", "PrivateTmp=yes\nProtectHome=yes\nAppArmorProfile=example",
                   "ExecStart=/usr/bin/cat")
        scratch.write("/root/file.env", "# LD_PRELOAD=/no\nA=b\nLD_PRELOAD=/x.so\n")
        scratch.write(drop_in("foreign"), "[Service]\nNice=1\n")
        scratch.run("systemctl daemon-reload; systemctl start notls; systemctl mask --now haproxy; "
                    "systemd-run --unit=transient sleep 1000")
        before = scratch.run("find /etc/systemd -type f | xargs md5sum").out

        def refuse(command, status, said):
            done = scratch.run(command)
            rep.ok(done.status == status and done.err.count("\n") == 1 and said in done.err and not done.out,
                   f"{command}: {said}", done)

        for name, _, said in REFUSED:
            refuse(f"secretssl enable {name}", 1, said)
        refuse("secretssl enable haproxy", 1, "is masked")
        refuse("secretssl enable transient", 1, "systemd-run")
        refuse("secretssl enable no-such", 2, "there is no unit no-such.service")
        refuse("secretssl status no-such", 2, "there is no unit no-such.service")
        refuse("secretssl disable foreign", 1, "was not written by")
        refuse("runuser -u www-data -- secretssl enable nginx", 2, "only root")
        for command in "enable", "disable", "status":
            refuse(f"unshare --mount sh -c 'mount -t tmpfs none /run/systemd && secretssl {command} nginx'",
                   2, "systemd does not run here")
        scratch.run("for place in /tmp /root; do mkdir -p $place/x/bin $place/x/lib; cp /usr/bin/secretssl "
                    "$place/x/bin; cp /usr/lib/*/libsecretssl.so $place/x/lib; done")
        refuse("/tmp/x/bin/secretssl enable tmp", 1, "PrivateTmp=")
        refuse("/root/x/bin/secretssl enable tmp", 1, "ProtectHome=")
        done = scratch.run("secretssl enable --dry-run tmp")
        rep.ok(done.status == 0 and "AppArmor profile example" in done.err, "the control; and AppArmor is named",
               done)
        done = scratch.run("secretssl disable nginx")
        rep.ok(done.status == 0 and "is not enabled" in done.out, "nothing to disable", done)
        done = scratch.run("secretssl status foreign")
        rep.ok(done.status == 1 and "did not write" in done.out, "status of somebody else's drop-in", done)
        rep.equal(scratch.run("find /etc/systemd -type f | xargs md5sum").out, before, "no file has changed")

        # An alias is its unit, and a unit that was removed can still be disabled.
        scratch.run("cp /etc/systemd/system/{notls,later}.service; sed -i 's/sleep/cat/' "
                    "/etc/systemd/system/later.service; ln -s later.service /etc/systemd/system/alias.service; "
                    "systemctl daemon-reload")
        done = scratch.run("secretssl enable alias.service")
        rep.ok(done.status == 0 and "later.service: " in done.out and text_of(scratch, "later"), "an alias", done)
        scratch.run("rm /etc/systemd/system/{alias,later}.service; systemctl daemon-reload")
        done = scratch.run("secretssl disable later")
        rep.ok(done.status == 0 and not text_of(scratch, "later"), "a unit that is gone is disabled", done)


PREPARED = """
printf "LD_PRELOAD = '/usr/lib/x86_64-linux-gnu/libsecretssl.so'\\nSECRETSSL_REQUIRE = '1'\\n" \
    >>/etc/postgresql/15/main/environment
"""
# A server, a line for its configuration, and what the limit is for then
CONFIGURED = (
    ("nginx", services.NGINX, "sed -i 's/worker_connections [0-9]*/worker_connections 30000/' /etc/nginx/nginx.conf",
     lambda processes: (30000 * (processes - 1), 1)),
    ("apache2", services.APACHE, "echo 'MaxRequestWorkers 12345' >>/etc/apache2/conf-enabled/name.conf",
     lambda _: (12345, 1)),
    ("haproxy", services.HAPROXY, "sed -i 's/^global/&\\n    maxconn 2345/' /etc/haproxy/haproxy.cfg",
     lambda _: (2345, 1)),
    ("postgresql@15-main", services.POSTGRESQL + PREPARED, "pg_conftool 15 main set max_connections 777", lambda _: (777, 10)))


def scenario_configured(env, rep):
    """The limit is for as many connections and certificates as the server's own configuration allows."""
    for unit, prepare, change, wanted in CONFIGURED:
        with machine.Machine(env, scenario.staged(env)) as scratch:
            done = scratch.run(f"{prepare}\n{change}\n systemctl start {unit}; sleep 1; "
                               f"secretssl enable --dry-run {unit}")
            found = re.search("is for ([0-9]+) processes, ([0-9]+) connections and ([0-9]+) certificates", done.out)
            if rep.ok(found, f"{unit}: says what the limit is for", done):
                processes, *load = map(int, found.groups())
                rep.equal(tuple(load), wanted(processes), f"{unit}: as configured")
            done = scratch.run(f"secretssl enable --dry-run --connections 5 --certificates 6 {unit}")
            rep.ok("5 connections and 6 certificates" in done.out, f"{unit}: as asked for", done)


def scenario_sizes(_env, rep):
    """The sizes in the tool are those of the table, rounded up: of the process that takes most."""
    rows = re.findall(r'\{"?(\w+)"?, (\d+), (\d+), (\d+)\}', pages.page("tools/secretssl/enable/sizing.c"))
    ours = {name: tuple(map(int, figures)) for name, *figures in rows}
    measured = {}
    for server, _, *parts in sizing.figures(json.loads(pages.page("bench/results/sizing.json"))):
        sizes = [math.ceil((part[1] or 0) / 1024) for part in parts]
        measured[server] = [max(pair) for pair in zip(measured.get(server, [0] * 3), sizes)]
    measured["PostgreSQL"][2] = measured["PostgreSQL"][0]  # a process for each connection
    rep.equal(len(ours), 5, "rows")
    for name, server in (("nginx", "nginx"), ("apache2", "Apache, event"), ("haproxy", "HAProxy"),
                         ("postgres", "PostgreSQL"), ("NULL", "Apache, event")):
        rep.equal(ours[name], tuple(measured[server]), f"{name}: as {server}")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
