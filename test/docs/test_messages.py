# SPDX-License-Identifier: Apache-2.0
"""Every message of the library is in the tables of docs/operations, and no other is."""

import sys

import messages
import pages
from harness import report

PAGE = pages.OPERATIONS


def scenario_documented(_env, rep):
    cells = messages.documented(pages.page(PAGE))
    texts = messages.printed()
    rep.ok(len(texts) > 60, f"{len(texts)} texts in the source")
    returned = pages.page("docs/secretmem.3")
    for text, file in texts:
        where = [returned] if text in messages.RETURNED else cells
        rep.ok(any(messages.expression(text).search(cell) for cell in where),
               f"{file}: {text!r} is documented")


def scenario_nothing_else(_env, rep):
    """A first cell that no text of the source can have made is of another version."""
    rows = messages.rows(pages.page(PAGE))
    rep.ok(len(rows) > 40, f"{len(rows)} rows")
    texts = [messages.expression(text) for text, _ in messages.printed()]
    for cell in rows:
        covered = max((len(match[0]) for match in (text.search(cell) for text in texts) if match),
                      default=0)
        rep.ok(covered * 3 > len(cell), f"{cell!r} is in the source")


def scenario_control(_env, rep):
    """A message that nobody documented is seen, and one that nobody prints."""
    made = messages.literals('void f(void) { sm_log("something went %s "\n "wrong", "badly"); }')
    rep.equal(made, ["something went %s wrong", "badly"], "literals are found and joined")
    cells = messages.documented(pages.page(PAGE))
    rep.ok(not any(messages.expression(made[0]).search(cell) for cell in cells),
           "it is not among the documented")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
