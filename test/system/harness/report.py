# SPDX-License-Identifier: Apache-2.0
"""One line for each check, in the Test Anything Protocol; exit status 1 if any failed."""

import argparse
import signal
import sys
import traceback

from . import process
from .environment import Environment

# ctest kills a test after 180 s; this comes first, so that what we started is cleaned up.
SCENARIO_SECONDS = 150


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


def too_long(_signal, _frame):
    raise TimeoutError(f"the scenario took more than {SCENARIO_SECONDS} s")


def main(module):
    """Runs the scenarios of a test file: functions named scenario_*, taking (env, report)."""
    scenarios = {
        name.removeprefix("scenario_"): function
        for name, function in vars(module).items()
        if name.startswith("scenario_")
    }
    parser = argparse.ArgumentParser(description=module.__doc__)
    parser.add_argument("--build", required=True, help="build directory, with lib/ and bin/")
    parser.add_argument("--helpers", required=True, help="directory of the C helper programs")
    parser.add_argument("scenario", nargs="*", help=f"of: {', '.join(scenarios)}")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.scenario if name not in scenarios]
    if unknown:
        parser.error(f"no scenario {unknown[0]!r}; there are: {', '.join(scenarios)}")

    failed = 0
    signal.signal(signal.SIGALRM, too_long)
    process.adopt_orphans()
    for name in arguments.scenario or scenarios:
        print(f"# scenario {name}", flush=True)
        report = Report()
        signal.alarm(SCENARIO_SECONDS)
        try:
            with Environment(arguments.build, arguments.helpers) as env:
                scenarios[name](env, report)
        except Exception:
            report.ok(False, f"{name} ran to its end", traceback.format_exc())
        finally:
            signal.alarm(0)
            process.end_descendants()
        print(f"1..{report.count}", flush=True)
        failed += report.failed + (report.count == 0)
    sys.exit(1 if failed else 0)
