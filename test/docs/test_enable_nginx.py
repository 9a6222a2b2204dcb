# SPDX-License-Identifier: Apache-2.0
"""The lines of nginx's configuration that secretssl enable writes: a binary upgrade keeps the protection. The
control, an upgrade without them, is in docs.operations.nginx."""

import sys

import machine
import scenario
import services
from harness import report
from test_enable import ENABLE, text_of

FILE = "/etc/nginx/modules-enabled/secretssl-nginx.service.conf"
OTHER = "/etc/systemd/system/nginx.service.d/zz.conf"
LINES = ["env LD_PRELOAD;", "env SECRETSSL_REQUIRE;"]
UPGRADE = ("kill -USR2 $(cat /run/nginx.pid); sleep 1; kill -QUIT $(cat /run/nginx.pid.oldbin); sleep 1; "
           "secretssl stat --strict nginx")


def lines_of(scratch):
    return [line for line in scratch.run(f"cat {FILE}").out.splitlines() if line.startswith("env ")]


def scenario_upgrade(env, rep):
    """The lines come and go with the drop-in."""
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(services.NGINX)
        done = scratch.run("secretssl enable --dry-run nginx")
        rep.ok(LINES[0] in done.out and not text_of(scratch, "nginx") and not lines_of(scratch),
               "a dry run shows them", done)
        done = scratch.run(f"{ENABLE} nginx; {UPGRADE}")
        rep.ok(done.status == 0 and lines_of(scratch) == LINES, "a binary upgrade keeps the protection", done)
        done = scratch.run(f"rm {FILE}; {ENABLE} nginx")
        rep.ok(done.status == 0 and "already" not in done.out and lines_of(scratch) == LINES, "written again", done)
        done = scratch.run("systemctl restart nginx; secretssl disable --now nginx")
        rep.ok(done.status == 0 and FILE in done.out and not lines_of(scratch), "disabled: they are gone", done)
        other = "/etc/systemd/system/nginx.service.d/zz.conf"
        done = scratch.run(f"mkdir -p $(dirname {OTHER}); printf '[Service]\\nLimitMEMLOCK=9G\\n' >{OTHER}; "
                           "secretssl enable --now nginx")
        rep.ok(done.status == 1 and "another drop-in" in done.err and not lines_of(scratch)
               and not text_of(scratch, "nginx"), "put back: they are gone", done)


def scenario_two_units(env, rep):
    """Units that share a configuration have a file each."""
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(services.NGINX)
        scratch.run("sed -i 's/80 default/8080 default/; s/443 /8443 /' /etc/nginx/sites-enabled/*; "
                    "sed 's,nginx.pid,web.pid,g; s,-g .,&pid /run/web.pid; ,' /lib/systemd/system/nginx.service "
                    ">/etc/systemd/system/web.service; sed -i '/^pid /d' /etc/nginx/nginx.conf; "
                    "systemctl daemon-reload; secretssl enable web; secretssl enable nginx; secretssl disable web")
        rep.equal(lines_of(scratch), LINES, "the other unit's file stays")
        rep.equal(scratch.run(f"ls {FILE.replace('nginx.service', 'web.service')}").status, 2, "its own is gone")


def scenario_no_place(env, rep):
    """Where nginx does not read the file, or sets the variables itself, there is none, and the lines are named."""
    conf, kept = "/etc/nginx/nginx.conf", "/root/kept.conf"
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(services.NGINX + f"\ncp {conf} {kept}")
        for what, change in (
                ("a value of its own", f"sed -i '1i env LD_PRELOAD=/x.so;' {conf}"),
                ("no directory", f"sed -i /modules-enabled/d {conf}"),
                ("a directory where no such line may be", "rm /etc/nginx/modules-enabled/*; sed -i '/modules-enabled/d; "
                 f"s,^http {{,&include /etc/nginx/modules-enabled/*.conf;,' {conf}"),
                ("a configuration that cannot be read", f"echo nonsense >>{conf}"),
                ("another configuration", f"mkdir -p $(dirname {OTHER}); printf '[Service]\\nExecStart=\\n"
                 f"ExecStart=/usr/sbin/nginx -c/etc/nginx/nginx.conf\\n' >{OTHER}; systemctl daemon-reload")):
            done = scratch.run(f"cp {kept} {conf}; {change}; secretssl enable nginx; status=$?; "
                               f"nginx -t -q; echo tests: $?; exit $status")
            tests = 1 if "cannot be read" in what else 0
            rep.ok(done.status == 0 and LINES[0] in done.err and not lines_of(scratch)
                   and f"tests: {tests}" in done.out, what, done)
            scratch.run("secretssl disable nginx")
        scratch.run(f"cp {kept} {conf}; rm {OTHER}; systemctl daemon-reload; echo '# own' >{FILE}")
        done = scratch.run("secretssl enable nginx; secretssl disable nginx")
        rep.ok(LINES[0] in done.err and scratch.run(f"cat {FILE}").out == "# own\n",
               "another file of that name stays", done)


def scenario_left(env, rep):
    """What an interrupted command or an administrator has left is seen."""
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(services.NGINX + "\n" + f"{ENABLE} nginx")
        done = scratch.run(f"sed -i 's/^env/#env/' {FILE}; {ENABLE} nginx")
        rep.ok(done.status == 0 and lines_of(scratch) == LINES, "changed: written again", done)
        done = scratch.run(f"sed -i /modules-enabled/d /etc/nginx/nginx.conf; {ENABLE} nginx")
        rep.ok(done.status == 0 and "does not read" in done.err, "no longer read: named", done)
        done = scratch.run(f"rm -r $(dirname {OTHER}); printf '%s\\n' \"# Written by 'secretssl enable'\" >{FILE}; "
                           "systemctl daemon-reload; secretssl disable nginx")
        rep.ok(done.status == 0 and FILE in done.out and scratch.run(f"ls {FILE}").status == 2,
               "without a drop-in: removed", done)
        # Upgraded, and not restarted yet
        done = scratch.run("systemctl restart nginx; cp /usr/sbin/nginx /root/x; mv /root/x /usr/sbin/nginx; "
                           "secretssl enable --dry-run nginx")
        rep.ok("in its configuration" in done.err or LINES[0] in done.out, "a program that was replaced", done)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
