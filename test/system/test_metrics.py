# SPDX-License-Identifier: Apache-2.0
"""secretssl stat --prometheus and --output: what a monitoring system reads."""

import json
import os
import re
import shutil
import subprocess
import sys

from harness import figures, memory, process, report
from harness.cgroup import Unit


NAMES = ["plain", 'q"uote', "back\\slash", "new\nline", "grüße", "b\udcffyte", "cut grü\udcc3", "}"]


def scenario_prometheus(env, rep):
    """Text that a parser of Prometheus's own accepts, whatever a program is called."""
    from prometheus_client.parser import text_string_to_metric_families
    children = {}
    for name in NAMES:
        child = process.Child(env, [env.helper("seclude"), "plain", name, "10"], env.preloaded())
        process.wait_until(lambda: memory.is_protected(child.pid)
                           and open(f"/proc/{child.pid}/comm", "rb").read()[:-1]
                           == os.fsencode(name)[:15])
        children[child.pid] = name
    result = figures.stat(env, "--prometheus", *children)
    rep.equal(result.status, 0, "all are protected")
    families = {family.name: family for family in text_string_to_metric_families(result.out)}
    rep.ok(len(families) > 20 and all(name.startswith("secretssl_") for name in families),
           f"{len(families)} families of metrics", result)
    rep.ok(all(family.documentation and family.type in ("gauge", "counter")
               for family in families.values()), "each with help and type")
    samples = {int(sample.labels["pid"]): sample for sample in families["secretssl_secret_bytes"].samples}
    for pid, name in children.items():
        shown = re.sub("[\udc80-\udcff\n]", "?", name)
        rep.equal(samples[pid].labels["comm"], shown, f"the name {name!r}")
        rep.equal(samples[pid].value, figures.of(env, pid)["secret_bytes"], "its value")
    counters = {name for name, family in families.items() if family.type == "counter"}
    totals = set(re.findall(r"^# TYPE (\w+)_total", result.out, re.M))
    rep.equal(counters, totals, "counters and nothing else end in _total")
    lines = [line for line in result.out.splitlines() if not line.startswith("#")]
    order = [re.match(r"\w+", line)[0] for line in lines]
    rep.equal(len(set(order)), sum(1 for a, b in zip([None, *order], order) if a != b),
              "the samples of a metric stand together")
    states = {sample.labels["state"]: sample.value
              for sample in families["secretssl_processes"].samples}
    rep.equal(states["protected"], len(NAMES), "processes by state")


def metrics(text):
    """{name: {labels that are not empty, as a sorted tuple: value}}"""
    from prometheus_client.parser import text_string_to_metric_families
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(sorted((name, value) for name, value in sample.labels.items() if value))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def scenario_groups(env, rep):
    """Metrics are of services and programs: sums, largest values, and not more than there may be."""
    service = f"libsecretssl-metrics-{os.getpid()}.service"
    with Unit(service) as unit:
        ours = [figures.seclude(env, env.preloaded(), "plain", 10 * number, setup=unit.enter) for number in (1, 2)]
        others = [figures.seclude(env, environ, "plain", name="outside") for environ in (env.preloaded(), env.plain())]
        each = {child.pid: figures.of(env, child.pid) for child in ours}
        result = figures.stat(env, "--prometheus", service, "outside")
        found = metrics(result.out)
        label, outside = ("unit", service), ("program", "outside")
        rep.equal(found["secretssl_secret_bytes"],
                  {(label,): sum(one["secret_bytes"] for one in each.values()),
                   (outside,): figures.of(env, others[0].pid)["secret_bytes"]}, "sums")
        rep.equal(found["secretssl_peak_bytes"][(label,)], max(one["peak_bytes"] for one in each.values()),
                  "the largest peak")
        rep.equal([found["secretssl_process_state"][tuple(sorted((who, ("state", state))))] for who, state in (
            (label, "protected"), (label, "unprotected"), (outside, "protected"), (outside, "unprotected"))],
            [2, 0, 1, 1], "processes by state")
        rep.ok("_total" not in result.out.replace("secretssl_build_info", ""), "no counter, as sums fall", result)
        rep.ok(list(found["secretssl_build_info"].values()) == [1] and found["secretssl_groups_merged"][()] == 0,
               "the version")
        rep.equal(found["secretssl_arena_used_ratio"][(label,)],
                  max(round(one["mapped_bytes"] / one["limit_bytes"], 4) for one in each.values()), "the fullest arena")
        whole = metrics(figures.stat(env, "--prometheus", "--all").out)
        rep.equal(whole["secretssl_secret_bytes"][(label,)], found["secretssl_secret_bytes"][(label,)], "with --all")
        single = metrics(figures.stat(env, "--prometheus", "--per-process", service).out)
        rep.equal({dict(labels)["pid"] for labels in single["secretssl_secret_bytes"]}, {str(pid) for pid in each},
                  "--per-process: each")
        for child in [*ours, *others]:
            child.stop()
    # Other tests may run programs of the helper's own file meanwhile.
    path = shutil.copy(env.helper("seclude"), env.path("seclude-of-many"))
    for number in range(105):
        process.Child(env, [path, "plain", f"many-{number:03}", "1"], env.plain())
    process.wait_until(lambda: figures.stat(env, "--json", "seclude-of-many").out.count('"many-') == 105, 60)
    found = metrics(figures.stat(env, "--prometheus", "seclude-of-many").out)
    groups = {labels for labels in found["secretssl_process_state"] if ("state", "unprotected") in labels}
    rep.equal((len(groups), found["secretssl_groups_merged"][()],
               found["secretssl_process_state"][(("program", "(others)"), ("state", "unprotected"))]), (100, 6, 6),
              "of 105 programs, 99 by themselves and 6 as one")


def scenario_output(env, rep):
    """--output: the file is there whole or as it was, whoever can write to its directory."""
    name = env.path("figures.prom")
    child = figures.seclude(env, env.preloaded(), "plain", name="to-a-file")
    plain = figures.seclude(env, env.plain(), "plain", name="to-a-file")
    for pid, status in (child.pid, 0), (plain.pid, 1), (2 ** 22 + 1, 2):
        result = figures.stat(env, "--prometheus", f"--output={name}", pid)
        rep.ok(result.status == status and result.out == "" and "secretssl_build_info" in process.text_of(name)
               and os.stat(name).st_mode & 0o777 == 0o644, f"status {status}: written", result)
    figures.stat(env, "--json", f"--output={name}", child.pid)
    rep.equal(json.loads(process.text_of(name))["processes"][0]["pid"], child.pid, "JSON, too")
    for what, make in ("a directory", os.mkdir), ("a pipe", os.mkfifo), \
            ("a link", lambda path: os.symlink(env.path("aim"), path)):
        make(env.path("other"))
        result = figures.stat(env, "--prometheus", f"--output={env.path('other')}", child.pid)
        rep.ok(result.status == 2 and result.err.count("\n") == 1 and "no ordinary file" in result.err
               and not os.path.isfile(env.path("other")), f"{what} is not replaced", result)
        os.rmdir(env.path("other")) if what == "a directory" else os.unlink(env.path("other"))
    result = figures.stat(env, "--prometheus", f"--output={env.path('nowhere/file')}", child.pid)
    rep.ok(result.status == 2 and result.err.count("\n") == 1, "no directory", result)
    # Readers see one of several writers whole.
    writers = [subprocess.Popen([env.tool, "stat", "--prometheus", f"--output={name}", str(child.pid)])
               for _ in range(8)]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        text = process.text_of(name)
        seen.add((text.startswith(("# HELP", "{")), text.endswith("\n")))
    rep.ok(seen == {(True, True)} and [writer.wait() for writer in writers] == [0] * 8, "several at once", seen)
    closed = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", env.tool, "stat", "--json", f"--output={name}",
                             str(child.pid)], check=False, timeout=60)
    rep.ok(closed.returncode == 0 and process.text_of(name).startswith("{"), "stdout is closed", closed)
    full = process.run(env, ["prlimit", "--fsize=100", env.tool, "stat", "--prometheus", f"--output={name}",
                             str(child.pid)], env.plain())
    rep.ok(full.status != 0 and process.text_of(name).endswith("\n"), "no room: the old one stays", full)
    rep.equal([file for file in os.listdir(env.directory) if file.startswith("figures.prom")], ["figures.prom"],
              "nothing else is left")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
