# SPDX-License-Identifier: Apache-2.0
"""What needs modules of a distribution's kernel, and changes the machine: a disk of memory, 9p, kernel
TLS, AF_ALG. CTest knows these by -C lab only; scripts/lib/kernel.sh runs them in guests of Debian's
kernels."""

import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys

from harness import figures, guest, keys, memory, ninep, pinned, process, report, tls
from harness.nginx import Nginx
from test_against_root import SECRET, held
from test_guest import secret_of
from test_key_file import check_reading, forms

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# The lab's guest has it, of 16 MiB (kernel-patches/lab/lib/stock.sh).
DISK = "/dev/ram0"
KERNEL_TLS = """\
openssl_conf = all
[all]
ssl_conf = libraries
[libraries]
system_default = every
[every]
Options = KTLS
"""
# Of several records
PAGE = b"".join(b"%d\n" % number for number in range(10000))
PROCESS_MADVISE, PAGE_OUT = 440, 21
REFUSED = "kernel TLS is refused"
PLAIN_STREAM = "a file system cannot read into secret memory"
# Since 6.8 the file system pins the pages; before, the transport does it, and that of a socket does not.
PINS = tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 8)


def need(*modules):
    subprocess.run(["modprobe", "--all", *modules], check=True, timeout=60)


def scenario_paths(env, rep):
    """As system.pinned.paths, with every path there."""
    need("tls", "algif_hash", "algif_skcipher")
    for protected in False, True:
        said = pinned.tried(env, rep, protected, env.directory, DISK)
        for name, answer in pinned.ANSWERS.items():
            rep.equal(said.get(name), ("0", answer if protected else "0"),
                      f"{name}, {'secret' if protected else 'ordinary'} memory")


def page_out(pid, address):
    """Asks the kernel to swap a page of another process out, at once. It passes over what cannot leave, and a page
    that was touched a moment ago and waits on the list of a processor: dropping caches empties those."""
    class Range(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("1")
    page, libc = os.sysconf("SC_PAGESIZE"), ctypes.CDLL(None)
    pidfd = os.pidfd_open(pid)
    libc.syscall(PROCESS_MADVISE, pidfd, ctypes.byref(Range(address & -page, page)), 1, PAGE_OUT, 0)
    os.close(pidfd)


def on_disk(secret):
    """How often the disk has it, and not the kernel's cache of the disk."""
    content = subprocess.run(["dd", f"if={DISK}", "bs=1M", "iflag=direct", "status=none"], check=True, timeout=60,
                             capture_output=True).stdout
    return content.count(secret)


def scenario_swap(env, rep):
    """A page of ordinary memory is found on the disk that the machine swaps to, one of secret memory is not."""
    subprocess.run(["mkswap", DISK], check=True, timeout=60, capture_output=True)
    subprocess.run(["swapon", DISK], check=True, timeout=60)
    try:
        # What was swapped out stays on the disk, so the control comes last.
        for protected in True, False:
            child, address, writer = held(env, protected)
            kind = "secret" if protected else "ordinary"

            def found(pid=child.pid, at=address):
                page_out(pid, at)
                return on_disk(SECRET)
            there = process.wait_until(found, 3 if protected else 20)
            rep.equal(bool(there), not protected, f"whether {kind} memory is found on the disk")
            os.close(writer)
            child.wait(10)
    finally:
        subprocess.run(["swapoff", DISK], check=True, timeout=60)


def mounted(env, files, cache):
    need("9p", "9pnet_fd")
    return ninep.Served(env.path(f"9p-{cache}"), files, cache)


def scenario_9p_paths(env, rep):
    """What 9p itself does: with a cache the kernel copies, without one it pins the pages."""
    for cache, pins in ("loose", False), ("none", PINS):
        served = mounted(env, {}, cache)
        try:
            said = pinned.tried(env, rep, True, served.directory, env.path("direct"), "read", "write")
            answers = ("0", "EFAULT" if pins else "0")
            rep.equal(said, {"read": answers, "write": answers}, f"9p, cache={cache}")
        finally:
            served.end()


def scenario_9p_key(env, rep):
    """A key in each form, by streams that libcrypto opens, from 9p without a cache."""
    made = forms(env, "p256")
    contents = {}
    for _, file, _, _ in made:
        with open(file, "rb") as stream:
            contents[os.path.basename(file)] = stream.read()
    for cache, pins in ("none", PINS), ("loose", False):
        served = mounted(env, contents, cache)
        try:
            for name, file, ways, passphrase in made:
                for way in sorted({"pem_bio", "der_bio", "store"}.intersection(ways)):
                    # The controls are of one way: the others are in system.key_file.
                    control = (name, way) == ("DER", "store")
                    if cache == "loose" and not control:
                        continue
                    for protected in (False, True) if control else (True,):
                        check_reading(env, rep, env.path("p256.pem"), way,
                                      served.path(os.path.basename(file)), passphrase, protected, pins,
                                      f"{name} by {way}, 9p, cache={cache}")
        finally:
            served.end()


def scenario_9p_server(env, rep):
    """openssl s_server has its key and its certificate from 9p without a cache."""
    identity = keys.Identity(env, "ecdsa")
    contents = {}
    for name in identity.key, identity.certificate:
        with open(name, "rb") as stream:
            contents[os.path.basename(name)] = stream.read()
    served = mounted(env, contents, "none")
    try:
        there = keys.Identity.__new__(keys.Identity)
        there.key, there.certificate = (served.path(name) for name in contents)
        for protected in False, True:
            title = "with the preload" if protected else "without"
            server = tls.Server(env, there, env.chosen(protected), ["-www"])
            for version in tls.VERSIONS:
                page = tls.fetch(server.port, tls.context(identity, version))
                rep.ok(b" 200 " in page.split(b"\r\n", 1)[0], f"TLS {version}: a page, {title}", page)
            memory.check_scan(env, rep, [identity.key], [server.pid], protected, title)
            process.expect_messages(rep, server.stop().messages,
                                    [PLAIN_STREAM] if protected and PINS else [], title)
    finally:
        served.end()


def counted():
    """How often the kernel was given keys since boot: to send, to receive."""
    with open("/proc/net/tls_stat", encoding="ascii") as file:
        figures_of = dict(line.split() for line in file)
    return int(figures_of["TlsTxSw"]), int(figures_of["TlsRxSw"])


def check_given(rep, before, protected, version, title):
    """The control gives the kernel keys to send, and with TLS 1.2 those to receive. OpenSSL 3.0 does not
    give it the latter with TLS 1.3."""
    sent, received = (now - then for now, then in zip(counted(), before))
    if protected:
        rep.equal((sent, received), (0, 0), f"{title}: the kernel was given no keys")
    else:
        rep.ok(sent > 0 and (received > 0 or version == "1.3"),
               f"{title}: the kernel was given keys: {sent} to send, {received} to receive")


def kernel_tls_pages(rep, port, identity, version, protected, title):
    before = counted()
    client = tls.context(identity, version)
    for _ in range(2):
        answer = tls.fetch(port, client, b"/page")
        rep.ok(answer.endswith(PAGE), f"{title}: all of a page", answer[:200])
    check_given(rep, before, protected, version, title)


def scenario_kernel_tls_nginx(env, rep):
    """nginx with `ssl_conf_command Options KTLS` and sendfile: OpenSSL encrypts by itself."""
    need("tls")
    identity = keys.Identity(env, "ecdsa")
    with open(env.path("page"), "wb") as file:
        file.write(PAGE)
    for protected in False, True:
        log = env.path("messages")
        settings = {"SECRETSSL_LOG": log} if protected else {}
        # As root the workers may write the file of messages.
        server = Nginx(env, [identity], env.chosen(protected, **settings), main="user root;", cache="off",
                       server="ssl_conf_command Options KTLS; sendfile on; "
                              f"location /page {{ root {env.directory}; }}")
        for version in tls.VERSIONS:
            kernel_tls_pages(rep, server.port, identity, version, protected,
                             f"nginx, TLS {version} {'with' if protected else 'without'} the preload")
        if protected:
            found = [figures.of(env, pid) for pid in server.workers()]
            rep.equal({one["state"] for one in found}, {"protected"}, "the workers are protected")
            # Keys to send of 4 connections, and to receive of those of TLS 1.2
            rep.equal(sum(one["lapses"].get("ktls", 0) for one in found), 6, "each refusal is counted")
            with open(log, encoding="utf-8") as file:
                process.expect_messages(rep, file.read().splitlines(), [REFUSED], "nginx")
        rep.equal(server.stop().status, 0, "nginx ends well")


def scenario_kernel_tls_s_server(env, rep):
    """openssl s_server with kernel TLS and -sendfile, and both ends with kernel TLS."""
    need("tls")
    identity = keys.Identity(env, "ecdsa")
    for name, text in ("page", PAGE), ("openssl.cnf", KERNEL_TLS.encode()):
        with open(env.path(name), "wb") as file:
            file.write(text)
    for protected in False, True:
        environ = env.chosen(protected, OPENSSL_CONF=env.path("openssl.cnf"))
        messages = [REFUSED] if protected else []
        for version, (option, _) in tls.VERSIONS.items():
            title = f"s_server, TLS {version} {'with' if protected else 'without'} the preload"
            server = tls.Server(env, identity, environ, ["-WWW", "-sendfile"])
            kernel_tls_pages(rep, server.port, identity, version, protected, title)
            process.expect_messages(rep, server.stop().messages, messages, title)
            server, before = tls.Server(env, identity, environ, ["-www"]), counted()
            client = tls.s_client(env, identity, server.port, environ, [option])
            rep.ok(client.status == 0 and "HTTP/1.0 200 ok" in client.out, f"{title}: and s_client", client)
            check_given(rep, before, protected, version, title)
            process.expect_messages(rep, client.messages, messages, f"{title}, s_client")
            server.stop()


PROBES = ("grow", "fall_back", "misuse", "lapse", "fork_copy")


def mount_once(kind, path):
    if not os.path.ismount(path):
        subprocess.run(["mount", "-t", kind, kind, path], check=True, timeout=60)


def traced(env, script, environ):
    """
    {probe: how often perf saw it} while a script of the shell runs. It watches all processors: watching one
    program and its children, perf misses some of what children do that end at once.
    """
    data, home = env.path("perf.data"), env.plain(HOME=env.directory)
    process.run(env, ["perf", "record", "--quiet", "--all-cpus", "--output", data, "--event",
                      "sdt_libsecretssl:*", "--", "env",
                      *(f"{name}={value}" for name, value in environ.items()), "sh", "-c", script], home, seconds=120)
    text = process.run(env, ["perf", "script", "--input", data, "--fields", "comm,event"], home, seconds=120).out
    rows = [line.split() for line in text.splitlines()]
    return {(comm, event.rstrip(":").rpartition(":")[2]): rows.count([comm, event]) for comm, event in rows}


def scenario_probes(env, rep):
    """perf sees each probe in the program that passes it, and none in programs without the preload."""
    mount_once("tracefs", "/sys/kernel/tracing")
    home = env.plain(HOME=env.directory)
    # Each start of perf takes seconds on an emulated processor. The programs have names of their own.
    for name in "forks", "many", "twice", "lapse":
        os.symlink(env.helper("probed"), env.path(f"p-{name}"))
    programs = "./p-forks forks; SECRETSSL_ARENA_SIZE=64K ./p-many many; ./p-twice twice; ./p-lapse lapse"
    done = process.run(env, ["perf", "probe", "--quiet", "--exec", env.preload,
                             *(f"--add=%sdt_libsecretssl:{name}" for name in PROBES)], home, seconds=120)
    rep.ok(done.status == 0, "perf knows them", done)
    try:
        found = traced(env, programs, env.preloaded())
        rep.equal((found.get(("p-forks", "fork_copy")), found.get(("p-twice", "misuse"))), (3, 1),
                  "three children, one double free")
        rep.ok(found.get(("p-forks", "grow"), 0) > 0 and found.get(("p-many", "fall_back"), 0) > 0
               and found.get(("p-lapse", "lapse"), 0) > 0, "an arena that grows, one that is full, a lapse", found)
        rep.ok(("p-forks", "misuse") not in found and ("p-forks", "fall_back") not in found, "and nothing else", found)
        rep.equal(traced(env, programs, env.plain()), {}, "the control: none without the preload")
    finally:
        process.run(env, ["perf", "probe", "--quiet", "--del", "sdt_libsecretssl:*"], home, seconds=120)


PROFILE = """\
abi <abi/3.0>,
include <tunables/global>
profile secretssl-test {program} {{
  {program} mr,
  /etc/ld.so.cache r,
  /{{usr/,}}lib/@{{multiarch}}/{{libc,libssl,libcrypto}}.so* mr,
  /{{usr/,}}lib/@{{multiarch}}/ld-linux-x86-64.so.2 mr,
  {directory}/** r,
  /usr/lib/ssl/** r,
  /etc/ssl/** r,
  network,
  signal,
  ptrace (readby, tracedby),
{more}}}
"""


def denied():
    log = subprocess.run(["dmesg"], check=True, capture_output=True, text=True, timeout=60).stdout
    return [line for line in log.splitlines() if 'apparmor="DENIED"' in line]


def scenario_apparmor(env, rep):
    """The abstraction is what the profile of a program lacks, and all of it."""
    mount_once("securityfs", "/sys/kernel/security")
    identity = keys.Identity(env, "ecdsa")
    program, object_file = env.path("server"), "/usr/lib/libsecretssl.so"
    shutil.copy("/usr/bin/openssl", program)
    shutil.copy(env.preload, object_file)
    environ = {**env.preloaded(SECRETSSL_LOG="syslog"), "LD_PRELOAD": object_file}
    abstraction = os.path.join(ROOT, "packaging", "monitoring", "libsecretssl.apparmor")
    states = []
    try:
        for more in "", f'  include "{abstraction}"\n':
            with open(env.path("profile"), "w", encoding="ascii") as file:
                file.write(PROFILE.format(program=program, directory=env.directory, more=more))
            subprocess.run(["apparmor_parser", "--replace", "--skip-cache", env.path("profile")], check=True, timeout=120)
            subprocess.run(["dmesg", "--clear"], check=True, timeout=60)
            server = process.Child(env, [program, "s_server", "-accept", "127.0.0.1:0", "-key", identity.key, "-cert",
                                         identity.certificate, "-www"], environ)
            port = int(server.wait_for(r"^ACCEPT 127\.0\.0\.1:(\d+)")[1])
            rep.ok(b" 200 " in tls.fetch(port, tls.context(identity)), "it serves")
            states.append(figures.of(env, server.pid)["state"])
            ours = [line for line in denied() if "secret" in line or "/proc/" in line]
            rep.equal(bool(ours), not more, f"{'with' if more else 'without'} the abstraction: denials")
            rep.note("\n".join(ours))
            server.stop()
    finally:
        subprocess.run(["apparmor_parser", "--remove", env.path("profile")], check=False, timeout=120)
        os.unlink(object_file)
    rep.equal(states, ["unprotected", "protected"], "unprotected without it, protected with it")


def scenario_afalg(env, rep):
    """OpenSSL's engine for the kernel's ciphers works in this guest, and is refused with the preload."""
    need("algif_skcipher")
    with open(env.path("text"), "wb") as file:
        file.write(b"a text\n" * 1000)
    command = ["openssl", "enc", "-aes-128-cbc", "-base64", "-K", "00" * 16, "-iv", "01" * 16, "-in",
               env.path("text")]
    by_processor = process.run(env, command, env.plain())
    rep.equal(by_processor.status, 0, "by the processor")
    for protected in False, True:
        title = "with the preload" if protected else "without"
        result = process.run(env, [*command, "-engine", "afalg"], env.chosen(protected))
        rep.equal((result.status, result.out), (0, by_processor.out), f"{title}: the same bytes")
        rep.equal('Engine "afalg" set.' in result.err, not protected,
                  f"{title}: the engine is {'not ' if protected else ''}used")
        # OpenSSL's own error has the name of the library as well.
        process.expect_messages(
            rep, [line for line in result.messages if line.startswith("libsecretssl")],
            ["OpenSSL's engine afalg is refused"] if protected else [], title)


def scenario_guest_kcore(env, rep):
    """Two guests of QEMU in this guest, each with a secret of its own: the kernel's view of all memory has what
    the ordinary one holds, and nothing of the other one's."""
    keys_of, running = [], []
    for secret_memory in False, True:
        key, masked = secret_of(env, f"key-{secret_memory}.pem")
        with open(env.path(f"firmware-{secret_memory}"), "wb") as file:
            file.write(guest.firmware(masked))
        running.append(guest.Guest(env, secret_memory, [*guest.TCG, "-bios", file.name], seconds=150))
        keys_of.append(key)
    options = [part for key in keys_of for part in ("--key", key)]
    # The guest has used up what root may lock, and the search needs secret memory of its own.
    done = process.run(env, [env.tool, "scan", "--json", *options, "--kernel"], env.plain(), seconds=200,
                       limits={"MEMLOCK": resource.RLIM_INFINITY})
    rep.equal(json.loads(done.out)["scanner_memory"], "secret", "the search is not found itself")
    kernel = json.loads(done.out)["processes"][0]
    rep.ok(kernel["searched_bytes"] > 64 << 20, "all of memory was searched", kernel["error"])
    found = [sum((copy["key"], copy["encoding"]) == (key, "little-endian") for copy in kernel["copies"])
             for key in keys_of]
    rep.equal(found[0], guest.COPIES, "the control: copies of the ordinary guest's secret")
    rep.equal(found[1], 0, "copies of the secret of the guest in secret memory")
    for one in running:
        one.stop()


def scenario_guest_kvm(env, rep):
    """KVM takes secret memory for a guest, and does not run there: get_user_pages() refuses it (EFAULT).
    Ordinary and shared memory run."""
    with open("/proc/cpuinfo", encoding="ascii") as file:
        need("kvm_amd" if " svm" in file.read() else "kvm_intel")
    done = process.run(env, [env.helper("kvm_guest")], env.plain())
    rep.equal(done.out.splitlines(), ["ordinary taken runs", "shared taken runs", "secret taken EFAULT"],
              "what KVM says of each kind of memory")
    rep.note(done.err)


if __name__ == "__main__":
    report.main(sys.modules[__name__])
