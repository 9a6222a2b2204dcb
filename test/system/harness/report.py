# SPDX-License-Identifier: Apache-2.0
"""Scenarios as unittest's test cases, with one line for each check in the Test Anything Protocol."""

import argparse
import os
import signal
import sys
import traceback
import unittest

from . import process
from .environment import Environment

# ctest kills a test after 180 s; this comes first, so that what we started is cleaned up.
SCENARIO_SECONDS = 150 * process.SLOWNESS


class Report:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, good, what, detail=""):
        """Records one check; `detail` is shown when it failed."""
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}", flush=True)
        if not good and detail:
            for line in str(detail).splitlines() or [""]:
                print(f"#   {line}", flush=True)
        return good

    def equal(self, got, wanted, what):
        return self.ok(got == wanted, what, f"got {got!r}, wanted {wanted!r}")

    def note(self, text):
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)


def more_time(seconds):
    """For a scenario that takes so long if it does all that it can."""
    signal.alarm(seconds * process.SLOWNESS)


def too_long(_signal, _frame):
    raise TimeoutError("the scenario took too long")


def case_of(scenario, build, helpers):
    """A method of a TestCase that runs a scenario, a function that takes (env, report)."""
    def run(case):
        name = scenario.__name__.removeprefix("scenario_")
        print(f"# scenario {name}", flush=True)
        report = Report()
        signal.alarm(SCENARIO_SECONDS)
        try:
            with Environment(build, helpers) as env:
                scenario(env, report)
        except Exception:
            report.ok(False, f"{name} ran to its end", traceback.format_exc())
        finally:
            signal.alarm(0)
            process.end_descendants()
        print(f"1..{report.count}", flush=True)
        case.assertGreater(report.count, 0, "the scenario has no check")
        case.assertEqual(report.failed, 0, f"of {report.count} checks failed")
    run.__doc__ = scenario.__doc__
    return run


def main(module):
    """Runs the scenarios of a test file: functions named scenario_*, taking (env, report)."""
    project = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
    parser = argparse.ArgumentParser(
        description=module.__doc__, epilog="Other options are unittest's: -k PART, -f, -v.")
    parser.add_argument("--build", default=os.path.join(project, "build/release"),
                        help="build directory, with lib/ and bin/ (%(default)s)")
    arguments, others = parser.parse_known_args()
    kind = os.path.basename(os.path.dirname(os.path.realpath(module.__file__)))
    helpers = os.path.join(arguments.build, "test", kind, "helpers")
    cases = type("Scenarios", (unittest.TestCase,),
                 {name: case_of(function, arguments.build, helpers)
                  for name, function in vars(module).items() if name.startswith("scenario_")})
    loader = unittest.TestLoader()
    loader.testMethodPrefix = "scenario_"
    chosen = [name if name.startswith("-") or not hasattr(cases, f"scenario_{name}")
              else f"Scenarios.scenario_{name}" for name in others]
    signal.signal(signal.SIGALRM, too_long)
    process.adopt_orphans()
    module.Scenarios = cases
    unittest.main(module, argv=[sys.argv[0], *chosen], testLoader=loader, warnings="ignore")
