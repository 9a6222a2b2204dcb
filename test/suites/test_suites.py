# SPDX-License-Identifier: Apache-2.0
"""The results of other projects' suites: docs/testing.md is current, and a difference without a reason is found."""

import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
from harness import process, report  # noqa: E402

import compare  # noqa: E402
import page  # noqa: E402
import probes  # noqa: E402
import results  # noqa: E402
import suites  # noqa: E402

TAP = """1..4
ok 1 - starts on port 4711
not ok 2 - answers
ok 3 # skip no IPv6
not ok 4 - is slow # TODO one day
"""
JUNIT = """<testsuites><testsuite><testcase name="a.B.good" status="run" result="completed"/>
<testcase name="a.B.bad" status="run" result="completed"><failure/></testcase>
<testcase name="a.B.none" status="run" result="skipped"><skipped/></testcase></testsuite></testsuites>"""
CURL = """test 0300...[simple HTTPS GET]
-------e--- OK (1   out of 2, remaining: 00:01)
test 0301...[HTTPS GET with a client certificate]
 data FAILED:
TESTFAIL: These test cases failed: 301
"""


def scenario_current(_env, rep):
    """The page is made from the results, and has every suite and a reason for every difference."""
    rows, text = page.load(), page.PAGE.read_text(encoding="utf-8")
    rep.equal(text[text.index(page.BEGIN) + len(page.BEGIN):text.index(page.END)], page.rendered(rows),
              "the tables are current; else run test/suites/suites.py publish")
    rep.equal(list(rows), list(suites.ALL), "the results are of all suites")
    for name, found in rows.items():
        different = found["missed"]["libsecretmem"] if name in probes.PROBES else found["differ"]
        known = compare.reasons(name)
        rep.equal(compare.unexplained(different, known), [], f"{name}: each difference has a reason")
        rep.equal(compare.idle(different, known), [], f"{name}: each reason is of a difference")
        if name not in probes.PROBES:
            rep.ok(found["processes"] and found["allocations"], f"{name}: processes had secret memory")


def _of(reader, **files):
    with tempfile.TemporaryDirectory() as directory:
        for name, text in {"output": "", **files}.items():
            path = Path(directory) / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return reader(Path(directory))


def scenario_results(_env, rep):
    """How each test ended is read from what the suites leave."""
    whole = {"a.t 1": "passed", "a.t 2": "failed", "a.t 3": "skipped", "a.t 4": "skipped"}
    rep.equal(_of(results.tap, tap__a=TAP), {name.replace("a.t", "a"): how for name, how in whole.items()}, "TAP")
    rep.equal(_of(results.tap, tap__a=TAP.replace("1..4", "1..5"))["a ended early"], "failed", "a plan that is not reached")
    rep.equal(_of(results.tap, tap__a="1..0 # SKIP no nginx\n"), {"a": "skipped"}, "a file that is skipped")
    rep.equal(_of(results.tap, tap__a="")["a ended early"], "failed", "a file that says nothing")
    rep.equal(_of(results.tap, tap__a="1..1\nok 1\n", output="a   (Wstat: 11 (Signal: SEGV) Tests: 1 Failed: 0)\n"),
              {"a 1": "passed", "a status": "failed"}, "a file that ends badly behind its last test")
    rep.equal(_of(results.junit, **{"junit.xml": JUNIT}),
              {"a.B.good": "passed", "a.B.bad": "failed", "a.B.none": "skipped"}, "JUnit")
    rep.equal(_of(results.curl, output=CURL), {"test 300": "passed", "test 301": "failed"}, "curl")


def scenario_difference(_env, rep):
    """A test that ends otherwise, or does not run, is a difference; a reason for another test does not cover it."""
    without = {"a 1": "passed", "a 2": "failed", "a 3": "passed", "a 10": "passed"}
    found = compare.differences({"without": without, "with": {"a 1": "passed", "a 2": "failed", "a 10": "failed"}})
    rep.equal(found, {"a 3": "passed → absent", "a 10": "passed → failed"}, "the differences, by number")
    rep.equal(compare.unexplained(found, {"a 1": "known"}), ["a 3", "a 10"], "a reason for another test")
    rep.equal(compare.unexplained(found, {"a *": "known"}), [], "a reason for both")
    rep.equal(compare.idle(found, {"a 3": "known", "b": "known"}), ["b"], "a reason that nothing needs")
    rep.equal(compare.differences({"without": without, "with": without}), {}, "the control: equal sides do not differ")


def scenario_unsteady(_env, rep):
    """What does not end the same way in both runs of a side is named, and not compared."""
    ends = compare.combined([{"a 1": "passed", "a 2": "failed"}, {"a 1": "failed", "a 2": "failed"}])
    rep.equal(ends, {"a 1": "unsteady", "a 2": "failed"}, "two runs of a side")
    row = suites.row("1.0", {"without": ends, "with": {"a 1": "passed", "a 2": "passed"}}, {"processes": 1})
    rep.equal((row["unsteady"], row["differ"]), (["a 1"], {"a 2": "failed → passed"}), "the row")


def scenario_malloc_shim(env, rep):
    """The preload serves a program's malloc from libsecretmem; the settings of the environment hold."""
    words = ["/usr/bin/python3", "-c", "import ctypes; print(sum(map(len, [b'x' * 9999] * 9)))"]
    for shim in (False, True):
        settings = {"SECRETSSL_STATS": "1", **({"LD_PRELOAD": f"{env.build}/lib/libmalloc_shim.so"} if shim else {})}
        done = process.Child(env, words, {**os.environ, **settings}).wait(60)
        rep.equal((done.status, done.out.strip()), (0, "89991"), "the program works" + (" with it" if shim else ""))
        rep.equal("KiB secret" in done.err, shim, "libsecretmem served it" if shim else "the control: without it")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
