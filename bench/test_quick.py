#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the suite run from end to end and give numbers that make sense? No timing is asserted."""

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)

from suite import catalogue, contenders, context, plots  # noqa: E402

DOCUMENT = os.path.join(os.path.dirname(HERE), "docs", "performance.md")
BUILD_DIR = None


def bench(program, *arguments):
    return subprocess.run(
        [sys.executable, os.path.join(HERE, program), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def run(*arguments):
    return bench("run", "--build-dir", BUILD_DIR, *arguments)


class Quick(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="bench-test-")
        cls.file = os.path.join(cls.directory.name, "results.json")
        cls.done = run("--quick", "--output", cls.file)
        if cls.done.returncode == 0:
            with open(cls.file, encoding="utf-8") as file:
                cls.results = json.load(file)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def setUp(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.measured = {m["name"]: m for m in self.results["measurements"]}

    def test_everything_was_measured(self):
        self.assertEqual(tuple(self.measured), catalogue.NAMES)
        for measurement in self.measured.values():
            self.assertEqual(len(measurement["pairs"]), 2, measurement["name"])
            for pair in measurement["pairs"]:
                for side in measurement["sides"]:
                    self.assertTrue(math.isfinite(pair[side]) and pair[side] > 0, pair)

    def test_tables_have_all_contenders_and_targets(self):
        for title in contenders.TITLES.values():
            self.assertIn(f"| {title} |", self.done.stdout)
        for line in self.done.stdout.splitlines():
            if line.startswith("| handshakes replayed, against glibc, clearing |"):
                self.assertRegex(line, r"met \||missed by [\d.]+%")
                break
        else:
            self.fail("no target for the replay")

    def test_every_plot_was_drawn(self):
        for name in plots.PLOTS:
            path = os.path.join(self.directory.name, "results", f"{name}.svg")
            with open(path, encoding="utf-8") as file:
                self.assertIn("</svg>", file.read(), name)

    def test_servers_used_the_keys_that_the_titles_name(self):
        for name, key in (("handshake-p256", "EC-256"), ("handshake-rsa2048", "RSA-2048")):
            for pair in self.measured[name]["pairs"]:
                self.assertEqual(pair["negotiated"]["key"], key)

    def test_slices_alternate(self):
        for pair in self.measured["handshake-p256"]["pairs"]:
            order = [side for side, _, _ in pair["slices_ns"]]
            self.assertEqual(order, order[::-1])
            self.assertEqual(sorted(order), ["with", "with", "without", "without"])

    def test_each_side_of_a_forking_server_has_two_slices(self):
        for name in ("postgresql", "apache-prefork", "sshd"):
            measurement = self.measured[f"connections-{name}"]
            for pair in measurement["pairs"]:
                order = [side for side, *_ in pair["slices"]]
                self.assertEqual(order, order[::-1])
                self.assertEqual(sorted(order), sorted(2 * measurement["sides"]))
                self.assertEqual(set(pair["cpu_us"]), set(measurement["sides"]))
                for side, count, seconds, _ in pair["slices"]:
                    self.assertTrue(count > 0 and seconds > 0, side)

    def test_copies_are_recycled_where_that_is_the_side(self):
        for pair in self.measured["connections-postgresql"]["pairs"]:
            self.assertGreater(pair["recycling"]["forks"], 0)
            if not any("recycled no copy" in note for note in self.results["notes"]):
                self.assertGreater(pair["recycling"]["forks_recycled"], 0)
        for name in ("connections-postgresql", "fork-0.6", "exec-16", "crowd"):
            self.assertEqual(tuple(self.measured[name]["sides"]), context.FORK_SIDES, name)

    def test_secret_memory_is_there_with_the_preload_and_only_then(self):
        degraded = any("degraded" in note for note in self.results["notes"])
        pairs = self.measured["memory-openssl"]["pairs"]
        for without, with_ in ((p["at_exit"]["without"], p["at_exit"]["with"]) for p in pairs):
            self.assertEqual(without["secret_kib"], 0)
            if not degraded:
                self.assertGreater(with_["secret_kib"], 0)
                self.assertLessEqual(with_["secret_kib"], with_["mapped_kib"])
        if not degraded:
            steps = self.measured["memory-idle"]["pairs"][0]["steps"]["with"]
            self.assertGreater(steps[-1]["secret_kib"], steps[0]["secret_kib"])

    def test_report_refuses_a_quick_run(self):
        done = bench("report", self.file)
        self.assertEqual(done.returncode, 1)
        self.assertIn("quick run", done.stderr)

    def test_report_refuses_a_part(self):
        part = os.path.join(self.directory.name, "part.json")
        with open(part, "w", encoding="utf-8") as file:
            kept = [m for m in self.results["measurements"] if m["name"] != "bulk"]
            json.dump({**self.results, "quick": False, "measurements": kept}, file)
        done = bench("report", part)
        self.assertEqual(done.returncode, 1)
        self.assertIn("lack bulk", done.stderr)

    def test_report_of_forks_leaves_the_rest_as_it_was(self):
        copy = os.path.join(self.directory.name, "performance.md")
        part = os.path.join(self.directory.name, "forks.json")
        shutil.copy(DOCUMENT, copy)
        with open(part, "w", encoding="utf-8") as file:
            kept = [m for m in self.results["measurements"] if m["name"] in catalogue.FORKS]
            json.dump({**self.results, "quick": False, "measurements": kept}, file)
        done = bench("report", part, "--doc", copy)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(DOCUMENT, encoding="utf-8") as old, open(copy, encoding="utf-8") as new:
            old, new = old.read(), new.read()
        for name, same in (("figures", True), ("machine", True), ("forks", False)):
            section = f"<!-- bench:{name} -->"
            end = f"<!-- /bench:{name} -->"
            parts = [text[text.index(section):text.index(end)] for text in (old, new)]
            self.assertEqual(parts[0] == parts[1], same, name)

    def test_report_fills_the_document_and_twice_changes_nothing(self):
        copy = os.path.join(self.directory.name, "performance.md")
        full = os.path.join(self.directory.name, "full.json")
        with open(DOCUMENT, encoding="utf-8") as source, open(copy, "w", encoding="utf-8") as to:
            to.write(source.read())
        with open(full, "w", encoding="utf-8") as file:
            json.dump({**self.results, "quick": False}, file)
        texts = []
        for _ in range(2):
            done = bench("report", full, "--doc", copy)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(copy, encoding="utf-8") as file:
                texts.append(file.read())
        self.assertEqual(texts[0], texts[1])
        self.assertIn(self.results["machine"]["cpu"], texts[0])
        self.assertNotIn("Not measured in this run", texts[0].replace("profile", ""))
        for measurement in self.measured.values():
            if measurement["sides"][:2] == ["without", "with"]:
                self.assertIn(measurement["title"], texts[0])


@unittest.skipUnless(platform.machine() == "x86_64", "sealing is for x86")
class Sealing(unittest.TestCase):
    def test_handshakes_open_windows_and_no_other_function(self):
        with tempfile.TemporaryDirectory(prefix="bench-test-") as directory:
            output = os.path.join(directory, "sealing.json")
            done = bench("sealing", "--build-dir", BUILD_DIR, "--stand-in", "--quick", "--rounds", "2", "--output", output)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(output, encoding="utf-8") as file:
                found = json.load(file)
        self.assertEqual([one["kind"] for one in found["kinds"]], list(context.KEYS))
        for one in found["kinds"]:
            self.assertEqual(len(one["pairs"]), 2, one)
            self.assertTrue(10 < one["windows"]["seal_windows"] < 60, one)
            # By the clock, so that on a busy machine it may be more than the CPU time.
            self.assertGreater(one["windows"]["seal_open_microseconds"], 0, one)
            self.assertEqual(one["windows"]["seal_unlisted"], 0, one)


class Refusals(unittest.TestCase):
    def refused(self, *arguments, says):
        done = run(*arguments)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(len(done.stderr.strip().split("\n")), 1, done.stderr)
        self.assertIn(says, done.stderr)

    def test_bad_arguments_get_one_line(self):
        self.refused("--rounds", "0", says="'0' is not a number of rounds from 1 to 1000")
        self.refused("--rounds", "many", says="'many' is not a number of rounds")
        self.refused("--only", "speed", says="'speed' names no measurement; there are handshake-p")
        self.refused("--output", "/nowhere/x.json", says="/nowhere is not a directory")
        self.refused("--build-dir", "/nowhere", says="build it with")

    def test_a_preload_that_does_not_load_is_no_measurement(self):
        with tempfile.TemporaryDirectory(prefix="bench-test-") as directory:
            os.mkdir(os.path.join(directory, "lib"))
            with open(os.path.join(directory, "lib", "libsecretssl.so"), "wb") as file:
                file.write(b"no ELF file")
            os.symlink(os.path.join(BUILD_DIR, "bench"), os.path.join(directory, "bench"))
            output = os.path.join(directory, "x.json")
            for name, says in (
                ("start-true", "cannot be preloaded"),
                ("fork-0.1", "not loaded"),
                ("memory-openssl", "not loaded"),
                ("handshake-p256", "not loaded"),
                ("connections-postgresql", "not loaded"),
                ("connections-apache-prefork", "not loaded"),
                ("connections-sshd", "not loaded"),
                ("replay-verify", "no preload object installed its functions"),
            ):
                done = bench(
                    "run", "--quick", "--build-dir", directory, "--only", name, "--output", output
                )
                self.assertEqual(done.returncode, 1, name)
                self.assertIn(says, done.stderr, name)
                self.assertFalse(os.path.exists(output))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build-dir", required=True)
    options, rest = parser.parse_known_args()
    BUILD_DIR = os.path.realpath(options.build_dir)
    unittest.main(argv=[sys.argv[0], *rest])
