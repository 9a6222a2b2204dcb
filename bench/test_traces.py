#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is what is recorded what was called, and does a replay ask for just that?"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from suite import contenders, context, recording, replay_cost  # noqa: E402

BUILD_DIR = None

# Known calls: the sizes, and how many bytes of each block are written to.
PROGRAM = """
import ctypes
lib = ctypes.CDLL("libcrypto.so.3")
lib.CRYPTO_malloc.restype = lib.CRYPTO_realloc.restype = ctypes.c_void_p
lib.CRYPTO_malloc.argtypes = [ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int]
lib.CRYPTO_realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int]
lib.CRYPTO_free.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
name = ctypes.c_char_p(b"crypto/test/known.c")
first = lib.CRYPTO_malloc(100, name, 1)
ctypes.memset(first, 1, 40)
second = lib.CRYPTO_malloc(7000, name, 2)
first = lib.CRYPTO_realloc(first, 200, name, 3)
ctypes.memset(first + 100, 1, 50)
lib.CRYPTO_free(None, name, 4)
lib.CRYPTO_free(second, name, 5)
lib.CRYPTO_free(first, name, 6)
"""


def decode(path):
    """[kind, age, size, bytes written] of the calls made in the name of known.c."""
    with open(path, "rb") as file:
        data = file.read()
    at = len(b"SMTRACE1")

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    names = []
    for _ in range(number()):
        number()
        length = number()
        names.append(data[at : at + length])
        at += length
    calls = []
    for _ in range(number()):
        first = number()
        if first & 4:
            number()
        age = number() if first & 3 else None
        size = unwritten = 0
        if first & 3 != 1:
            size, unwritten = number(), number()
        if names[first >> 3] == b"crypto/test/known.c":
            calls.append((first & 3, age, size, size - unwritten))
    return calls


class Traces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="bench-test-")
        # The helpers of the build, but traces of our own
        helpers = os.path.join(cls.directory.name, "bench")
        os.mkdir(helpers)
        for name in os.listdir(os.path.join(BUILD_DIR, "bench")):
            if name != "traces":
                os.symlink(os.path.join(BUILD_DIR, "bench", name), os.path.join(helpers, name))
        os.symlink(os.path.join(BUILD_DIR, "lib"), os.path.join(cls.directory.name, "lib"))
        cls.context = context.Context(
            cls.directory.name, None, context.QUICK, 0, cls.directory.name
        )

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def replay(self, *arguments):
        return subprocess.run(
            self.context.helper("replay-trace", *arguments),
            capture_output=True,
            text=True,
            check=False,
        )

    def known(self):
        prefix = os.path.join(self.directory.name, "known")
        environment = {
            **self.context.environment("without"),
            "LD_PRELOAD": os.path.join(self.context.helpers, "bench-recorder.so"),
            "BENCH_RECORD": prefix,
        }
        child = subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment)
        self.assertEqual(child.wait(), 0)
        return f"{prefix}.{child.pid}"

    def test_what_is_recorded_is_what_was_called(self):
        expected = [
            (0, None, 100, 40),
            (0, None, 7000, 0),
            (2, 2, 200, 150),
            (1, 0, 0, 0),
            (1, 1, 0, 0),
            (1, 2, 0, 0),
        ]
        self.assertEqual(decode(self.known()), expected)

    def test_a_replay_counts_what_was_live(self):
        answer = json.loads(self.replay("time", "libc", self.known(), "1").stdout)
        self.assertEqual((answer["peak_bytes"], answer["peak_blocks"]), (7200, 2))
        self.assertEqual(answer["calls"], 6)

    def test_recording_anew(self):
        for name in recording.NAMES:
            if name == "handshake":  # as bulk, but longer
                continue
            recording.record(self.context, name)
            answer = json.loads(
                self.replay("check", "libc", recording.path(self.context, name)).stdout
            )
            self.assertGreater(answer["good"], 10000)
            self.assertEqual(answer["bad"], 0)
            os.remove(recording.path(self.context, name))

    def test_traces_that_come_with_the_sources_are_unpacked(self):
        for name in recording.NAMES:
            self.assertLess(os.path.getsize(recording.kept(name)), recording.MOST_KEPT)
        recording.ensure(self.context, "keygen")
        self.assertTrue(os.path.exists(recording.path(self.context, "keygen")))

    def test_every_contender_keeps_what_is_in_its_blocks_and_null_does_not(self):
        recording.ensure(self.context, "verify")
        for contender in contenders.CONTENDERS:
            with self.subTest(contender=contender.name):
                answer = replay_cost.check(self.context, contender, "verify")
                self.assertGreater(answer["good"], 0)
                if contender.kind == "null":
                    self.assertGreater(answer["bad"], 0)
                else:
                    self.assertEqual(answer["bad"], 0)

    def test_slots_are_not_smaller_than_what_was_asked_for(self):
        recording.ensure(self.context, "verify")
        (ours,) = contenders.select(["ours"])
        held = replay_cost.peak(self.context, ours, "verify")
        self.assertGreaterEqual(held["slot_bytes"], held["peak_bytes"])
        self.assertLess(held["slot_bytes"], 2 * held["peak_bytes"])

    def test_bad_traces_get_one_line(self):
        recording.ensure(self.context, "keygen")
        with open(recording.path(self.context, "keygen"), "rb") as file:
            data = file.read()
        for what, content in (
            ("empty", b""),
            ("another file", b"no trace, but long enough"),
            ("cut", data[: len(data) // 2]),
            ("longer", data + b"\0"),
        ):
            path = os.path.join(self.directory.name, "bad")
            with open(path, "wb") as file:
                file.write(content)
            done = self.replay("time", "libc", path, "1")
            self.assertEqual(done.returncode, 2, what)
            self.assertEqual(len(done.stderr.strip().split("\n")), 1, done.stderr)
            self.assertIn("is no trace of bench-recorder.so", done.stderr)

    def test_hooked_needs_a_preload(self):
        recording.ensure(self.context, "keygen")
        done = self.replay("time", "hooked", recording.path(self.context, "keygen"), "1")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no preload object installed its functions", done.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build-dir", required=True)
    options, rest = parser.parse_known_args()
    BUILD_DIR = os.path.realpath(options.build_dir)
    unittest.main(argv=[sys.argv[0], *rest])
