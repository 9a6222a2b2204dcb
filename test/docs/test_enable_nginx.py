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
        done = scratch.run(f"mkdir -p $(dirname {other}); printf '[Service]\\nLimitMEMLOCK=9G\\n' >{other}; "
                           "secretssl enable --now nginx")
        rep.ok(done.status == 1 and "another drop-in" in done.err and not lines_of(scratch)
               and not text_of(scratch, "nginx"), "put back: they are gone", done)


def scenario_no_place(env, rep):
    """Where they are there already, nothing is written; where there is no place for them, they are named."""
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(services.NGINX + "\ncp /etc/nginx/nginx.conf /root/kept.conf")
        for what, change, named in (
                ("lines of its own", "sed -i '1i env LD_PRELOAD;\\nenv SECRETSSL_REQUIRE;' /etc/nginx/nginx.conf", False),
                ("one of the lines", "sed -i '1i env LD_PRELOAD;' /etc/nginx/nginx.conf; "
                 "sed -i /modules-enabled/d /etc/nginx/nginx.conf", True),
                ("no directory", "sed -i /modules-enabled/d /etc/nginx/nginx.conf", True),
                ("another file of that name", f"echo '# own' >{FILE}", True)):
            done = scratch.run(f"cp /root/kept.conf /etc/nginx/nginx.conf; {change}; secretssl enable nginx")
            rep.ok(done.status == 0 and (LINES[0] in done.err) == named and not lines_of(scratch), what, done)
            scratch.run("secretssl disable nginx")
        rep.equal(scratch.run(f"cat {FILE}").out, "# own\n", "a file that is not of the command stays")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
