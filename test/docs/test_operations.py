# SPDX-License-Identifier: Apache-2.0
"""docs/operations: every command and file of it, in a scratch machine, and for each claim about
protection the same service without it."""

import base64
import json
import re
import shutil
import subprocess
import sys

import blocks
import machine
import messages
import monitoring
import pages
import scenario
from harness import process, report
from services import APACHE, DROP_IN, HAPROXY, KEY, NGINX, POSTGRESQL, SET_CERTIFICATE, WITH_DROP_IN, copies

PAGE = pages.OPERATIONS


def answers(scratch, rep, title):
    done = scratch.run("curl -s --cacert /etc/ssl/certs/example.pem https://localhost/")
    rep.equal(done.out.strip(), "hello", f"{title}: answers")


def unprotected(scratch, rep, service, program, drop_in):
    """The control: without the drop-in, the same service shows its key."""
    scratch.run(f"rm {drop_in}; systemctl daemon-reload; systemctl restart {service}; sleep 0.5")
    rep.ok(copies(scratch, program)[1] > 0, f"{service} without the preload: copies are found")


def scenario_systemd(env, rep):
    def checks(scratch):
        answers(scratch, rep, "sandboxed")
        rep.equal(copies(scratch, "nginx")[1], 0, "sandboxed: no copies")
        # The control: the filter without our call, and what REQUIRE makes of it.
        scratch.run("sed -i /memfd_secret/d /etc/systemd/system/nginx.service.d/sandbox.conf; "
                    "systemctl daemon-reload")
        done = scratch.run("systemctl restart nginx; systemctl show nginx "
                           "--property=ExecMainStatus; journalctl --unit=nginx --no-pager")
        rep.ok("SECRETSSL_REQUIRE=1: no secret memory" in done.out,
               "without memfd_secret in the filter: it refuses", done)
        # AT_SECURE: ld.so takes no preload over.
        done = scratch.run(
            "install /usr/bin/openssl /usr/local/bin/with-capability && "
            "setcap cap_net_bind_service+ep /usr/local/bin/with-capability && "
            "runuser -u www-data -- env LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libsecretssl.so "
            "SECRETSSL_STATS=1 /usr/local/bin/with-capability version")
        rep.ok(done.status == 0 and not done.messages, "file capabilities: no preload", done)
        done = scratch.run(
            "systemd-run --wait --pipe --quiet --uid=www-data "
            "--property=AmbientCapabilities=CAP_NET_BIND_SERVICE "
            "--setenv=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libsecretssl.so "
            "--setenv=SECRETSSL_STATS=1 openssl version")
        rep.ok("summary" in done.err and done.status == 0, "ambient capabilities: preload", done)
        done = scratch.run(f"sed -i s,libsecretssl.so,absent.so, {DROP_IN}; "
                           "systemctl daemon-reload; systemctl restart nginx; journalctl "
                           '--unit=nginx --grep="LD_PRELOAD cannot be preloaded" --no-pager')
        rep.ok(done.status == 0 and "absent.so" in done.out, "a preload that is not there shows",
               done)
    scenario.run(env, rep, PAGE, "systemd", NGINX, checks)


def scenario_enable(env, rep):
    def checks(scratch):
        rep.ok(copies(scratch, "nginx")[1] > 0, "disabled: copies are found")
    scenario.run(env, rep, PAGE, "enable", NGINX, checks)


# The checkout may lie where the scratch machine has a file system of its own.
ROLE = subprocess.run(["tar", "-C", f"{pages.ROOT}/packaging/ansible", "-cz", "roles"], check=True, stdout=subprocess.PIPE).stdout
ANSIBLE = NGINX + f"""
mkdir -p /root/ansible
echo {base64.b64encode(ROLE).decode()} | base64 -d | tar -C /root/ansible -xz
"""
PLAY = "ansible-playbook --inventory /root/ansible/hosts /root/ansible/{}.yml"


def play(scratch, name, services, *options):
    """Runs a play of these services."""
    scratch.write(f"/root/ansible/{name}.yml", json.dumps([{"hosts": "web", "roles": [
        {"role": "libsecretssl", "libsecretssl_services": services}]}]))
    return scratch.run(" ".join([PLAY.format(name), *options]))


def scenario_ansible(env, rep):
    # It writes beside what it looks at.
    roles = env.path("ansible")
    shutil.copytree(f"{pages.ROOT}/packaging/ansible", roles)
    done = process.run(env, ["ansible-lint", "--offline", "--nocolor", "--profile=production", roles],
                       env.plain(HOME=env.directory, LC_ALL="C.UTF-8"), seconds=120)
    rep.ok(done.status == 0 and "0 failure(s)" in done.out + done.err, "ansible-lint finds nothing", done)

    def checks(scratch):
        count, found = copies(scratch, "nginx")
        rep.ok(count >= 2 and found == 0, "nginx has no copies of its key", found)
        done = play(scratch, "check", [{"name": "nginx", "state": "absent"}], "--check")
        rep.ok(done.status == 0 and copies(scratch, "nginx")[1] == 0, "--check changes nothing", done)
        done = play(scratch, "absent", [{"name": "nginx", "state": "absent"}])
        rep.ok(done.status == 0 and "changed=1" in done.out, "the protection is taken away", done)
        rep.ok(copies(scratch, "nginx")[1] > 0, "the control: without it copies are found")
        done = play(scratch, "absent", [{"name": "nginx", "state": "absent"}])
        rep.ok(done.status == 0 and "changed=0" in done.out, "taken away again: nothing is changed", done)
        done = play(scratch, "wrong", [{"name": "nginx", "state": "gone"}])
        rep.ok(done.status != 0 and "accepted are present and absent" in done.out, "a wrong state: a line", done)
        # A service that cannot come up protected
        done = play(scratch, "small", [{"name": "nginx", "memlock": "1K"}])
        rep.ok(done.status != 0 and "1M to 1T" in done.out, "a limit that is none: the tool's line", done)
        rep.equal(scratch.run(f"cat {DROP_IN}").status, 1, "and no drop-in")
    scenario.run(env, rep, PAGE, "ansible", ANSIBLE, checks)


def scenario_nginx(env, rep):
    def checks(scratch):
        answers(scratch, rep, "after reload and upgrade")
        rep.ok(copies(scratch, "nginx")[0] >= 2, "a master and its workers")
        # The control: without `env LD_PRELOAD;` a binary upgrade loses the protection.
        scratch.run("sed -i '/^env /d' /etc/nginx/nginx.conf; systemctl restart nginx; "
                    "sleep 1; kill -USR2 $(cat /run/nginx.pid); sleep 1; "
                    "kill -QUIT $(cat /run/nginx.pid.oldbin); sleep 1")
        rep.ok(copies(scratch, "nginx")[1] > 0, "without 'env LD_PRELOAD;': copies are found")
    scenario.run(env, rep, PAGE, "nginx", NGINX, checks)


def scenario_apache(env, rep):
    def checks(scratch):
        answers(scratch, rep, "after a reload")
        rep.ok(copies(scratch, "apache2")[0] >= 3, "a parent and its children")
        unprotected(scratch, rep, "apache2", "apache2",
                    "/etc/systemd/system/apache2.service.d/secretssl.conf")
    scenario.run(env, rep, PAGE, "apache", APACHE, checks)


def scenario_haproxy(env, rep):
    def checks(scratch):
        answers(scratch, rep, "after a reload")
        rep.ok(copies(scratch, "haproxy")[0] >= 2, "a master and a worker")
        done = scratch.run(SET_CERTIFICATE)
        rep.ok("Success" in done.out and copies(scratch, "haproxy")[1] >= 6,
               "a certificate set at run time: its text is left, as the page says", done)
        unprotected(scratch, rep, "haproxy", "haproxy",
                    "/etc/systemd/system/haproxy.service.d/secretssl.conf")
    scenario.run(env, rep, PAGE, "haproxy", HAPROXY, checks)


def scenario_postgresql(env, rep):
    def checks(scratch):
        done = scratch.run("runuser -u postgres -- psql 'host=localhost sslmode=require "
                           "user=none dbname=none' 2>&1")
        rep.ok("password" in done.out or "SSL" in done.out, "asks over TLS", done)
        rep.ok(copies(scratch, "postgres")[0] >= 4, "a server and its processes")
        # The control: the variable in the unit does not arrive.
        scratch.run("sed -i /PRELOAD/d /etc/postgresql/15/main/environment; printf "
                    "'Environment=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libsecretssl.so\\n' "
                    ">>/etc/systemd/system/postgresql@.service.d/secretssl.conf; "
                    "systemctl daemon-reload; systemctl restart postgresql@15-main")
        rep.ok(copies(scratch, "postgres")[1] > 0,
               "with the variable in the unit alone: copies are found")
    scenario.run(env, rep, PAGE, "postgresql", POSTGRESQL, checks)


# An image of what is installed here; storage and limits as a machine below another can have
# them: the runtime asks for no more than root may give.
CONTAINERS = """
set -e
mkdir -p /etc/containers
printf '[storage]\\ndriver="vfs"\\nrunroot="/run/storage"\\ngraphroot="/var/lib/storage"\\n' \
    >/etc/containers/storage.conf
cat >/etc/containers/containers.conf <<'END'
[containers]
cgroups = "disabled"
netns = "none"
[engine]
runtime = "crun"
[engine.runtimes]
crun = ["/usr/local/bin/limited-crun"]
END
cat >/usr/local/bin/limited-crun <<'END'
""" + pages.page("test/docs/limited-runtime") + """END
chmod +x /usr/local/bin/limited-crun
mkdir /run/image
cd /run/image
for file in /usr/bin/openssl /bin/sh /bin/grep; do
    for needed in $file $(ldd $file | grep -o '/[^ ]*'); do
        mkdir -p .$(dirname $needed)
        cp -L $needed .$needed
    done
done
mkdir -p dev proc sys run tmp etc
cp --parents -L /etc/passwd /etc/group /usr/lib/ssl/openssl.cnf .
tar c . | podman import --quiet - localhost/example
jq '(.syscalls[] | .names) -= ["memfd_secret"]' /usr/share/containers/seccomp.json \
    >/usr/share/containers/old-seccomp.json
"""


def scenario_containers(env, rep):
    def checks(scratch):
        # The control: the old profile, as it was.
        run = ("podman run --rm --security-opt seccomp=/usr/share/containers/old-seccomp.json "
               "--volume /usr/lib/x86_64-linux-gnu/libsecretssl.so:/usr/lib/libsecretssl.so:ro "
               "--env LD_PRELOAD=/usr/lib/libsecretssl.so {} localhost/example openssl version")
        done = scratch.run(run.format(""))
        rep.ok(done.status == 0 and "no secret memory (memfd_secret: " in done.err,
               "an old profile: it says so", done)
        done = scratch.run(run.format("--env SECRETSSL_REQUIRE=1"))
        rep.equal(done.status, 78, "an old profile, required: status 78")
        done = scratch.run("podman run --rm --ulimit memlock=65536 localhost/example "
                           "grep 'locked memory' /proc/self/limits")
        rep.ok("65536" in done.out, "--ulimit memlock arrives", done)
    scenario.run(env, rep, PAGE, "containers", CONTAINERS, checks, ["--capability=all"])


def scenario_sizing(env, rep):
    scenario.run(env, rep, PAGE, "sizing")


def scenario_machine(env, rep):
    scenario.run(env, rep, PAGE, "machine")


PROM = "/var/lib/prometheus/node-exporter/secretssl.prom"


def scenario_monitoring(env, rep):
    def checks(scratch):
        figures = scratch.run(f"cat {PROM}").out
        known = set(re.findall(r"^# TYPE (\S+)", figures, re.M)) | {"node_textfile_mtime_seconds"}
        monitoring.check_rules(scratch, rep, known)
        monitoring.check_dashboard(scratch, rep, known)
        rep.ok(scratch.run("test -e /usr/lib/systemd/system/secretssl-metrics.timer").status == 0, "a timer")
        # Where the file cannot be written the figures of before stay.
        scratch.run(f"chattr +i {PROM} 2>/dev/null; mount --bind {PROM} {PROM}")
        old = scratch.run(f"sha256sum <{PROM}; systemctl start secretssl-metrics.service; sha256sum <{PROM}")
        rep.ok(len(set(old.out.split())) == 2, "a file that cannot be replaced stays", old)
        scratch.run(f"umount {PROM}; chattr -i {PROM} 2>/dev/null")
        done = scratch.run(f"rm {DROP_IN}; systemctl daemon-reload; systemctl restart nginx; "
                           "secretssl stat $(cat /run/nginx.pid)")
        rep.ok(done.status == 1 and "unprotected" in done.out, "without the drop-in: told", done)
        done = scratch.run(f"systemctl start secretssl-metrics.service; grep '^secretssl_process_state.*nginx.service.*unprotected' {PROM}")
        rep.ok(done.status == 0 and not done.out.rstrip().endswith(" 0"), "and in the metrics", done)
    # The directory is of the package prometheus-node-exporter.
    before = WITH_DROP_IN + "mkdir -p /var/lib/prometheus/node-exporter\n"
    scenario.run(env, rep, PAGE, "monitoring", before, checks)


SERVES = "curl --silent --insecure https://127.0.0.1/"


def scenario_credentials(env, rep):
    def checks(scratch):
        # Without its file the service goes on, and does not start again with another configuration.
        done = scratch.run(f"systemctl reload nginx; echo $?; sleep 1; {SERVES}")
        rep.equal(done.out.split(), ["1", "hello"], "a reload fails, and the server goes on")
        done = scratch.run(f"systemctl restart nginx && {SERVES}")
        rep.equal(done.out, "hello\n", "a restart has the key again")
    scenario.run(env, rep, PAGE, "credentials", WITH_DROP_IN, checks)


def scenario_passphrase(env, rep):
    def checks(scratch):
        rep.equal(scratch.run(SERVES).out, "hello\n", "it serves")
        done = scratch.run("secretssl scan --key /etc/ssl/private/example.key nginx")
        rep.ok(done.status == 0 and done.out.count(": 0 copies outside") == 3, "no copy of the key", done)
        done = scratch.run("secretssl stat --json nginx | jq '.processes[].lapses | length'")
        rep.equal(done.out.split(), ["0"] * 3, "nothing falls short")
        # The control: nobody passes the passphrase.
        done = scratch.run("timeout 2 systemctl restart nginx; echo $?; systemctl is-active nginx")
        rep.ok(done.out.split() == ["124", "activating"], "without the passphrase it does not start", done)
    scenario.run(env, rep, PAGE, "passphrase", WITH_DROP_IN + "systemctl stop nginx\n", checks)


def scenario_secure(env, rep):
    scenario.run(env, rep, PAGE, "secure", KEY)


def scenario_whole(env, rep):
    scenario.run(env, rep, PAGE, "whole", NGINX)


def scenario_fork(env, rep):
    scenario.run(env, rep, PAGE, "fork")


def scenario_limits(env, rep):
    scenario.run(env, rep, PAGE, "limits", KEY)


def scenario_removal(env, rep):
    # A new file in the place of the old one; running processes are told by the old one's name.
    with_old = WITH_DROP_IN + """
install /usr/lib/x86_64-linux-gnu/libsecretssl.so /usr/lib/x86_64-linux-gnu/libsecretssl.so.new
mv /usr/lib/x86_64-linux-gnu/libsecretssl.so.new /usr/lib/x86_64-linux-gnu/libsecretssl.so
"""
    with machine.Machine(env, scenario.staged(env)) as scratch:
        scratch.run(with_old)
        answers(scratch, rep, "with the old object")
        done = scratch.run('grep --files-with-matches "libsecretssl.so.*(deleted)" '
                           "/proc/[0-9]*/maps || echo none")
        rep.ok("/maps" in done.out, "the processes with the old object are found", done)
        rep.equal(copies(scratch, "nginx")[1], 0, "which goes on protecting them")
        scratch.run("systemctl reload nginx; sleep 1")
        answers(scratch, rep, "after a reload")
    scenario.run(env, rep, PAGE, "removal", WITH_DROP_IN)


def scenario_nothing_left_out(env, rep):
    """Each block belongs to a scenario that is run, and each command in running text to a block."""
    text = pages.page(PAGE)
    found = blocks.fenced(text)
    names = {name.removeprefix("scenario_") for name in globals() if name.startswith("scenario_")}
    rep.ok(len(found) > 20, f"{len(found)} blocks")
    for block in found:
        rep.ok(block.scenario in names, f"line {block.line}: is run")
        rep.ok(block.language == "console" or block.file or block.shown,
               f"line {block.line}: says which file it is")
    run = "\n".join(block.text for block in found)
    run += "ctest --preset release -R docs\n"  # which runs this
    # package.upgrade and package.purge
    run += "apt install ./*.deb\napt purge libsecretssl0 secretssl\n"
    printed = messages.documented(text)
    for command in blocks.inline_commands(text):
        if any(command in cell for cell in printed):
            continue
        rep.ok(command in run, f"`{command}` is in a block")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
