# SPDX-License-Identifier: Apache-2.0
"""Nobody in the way of an allocation answers "none" without a reason that is counted and said."""

import os
import re
import sys

import messages
import pages
from harness import report

# What answers "none" there, and why that needs no reason of its own.
KNOWN = {
    "heap/malloc.c": {
        "take_slot": "the slabs noted it",
        "sm_usable_size": "no allocation",
        "sm_is_secret": "no allocation",
        "slot_is_aligned": "no allocation",
    },
    "heap/resize.c": {
        "resize": "a block that stays as it is: then it moves, or fails as an allocation does",
        "move": "whoever had no block to move to noted it",
    },
    "heap/empty_blocks.c": {
        "empty_take_at": "then the block gets a slot",
    },
    "heap/large.c": {
        "large_take": "the run, or its memory, noted it",
        "sm_large_alloc": "notes it before",
        "grow": "as resize",
        "sm_large_resize": "as resize",
        "own_runs": "no allocation",
    },
    "heap/slab.c": {
        "new_run": "the arena noted it",
        "sm_slab_fetch": "the arena noted it",
        "put_slot": "no allocation",
    },
    "arena/arena.c": {
        "arena_reserve": "have_arena notes it for all",
        "sm_arena_init": "have_arena notes it for all",
    },
    "arena/page_runs.c": {
        "take_top": "sm_backing_grow noted it",
        "take_hole": "then there is more to be mapped at the end, which notes it",
        "fill": "sm_backing_fill noted it",
        "sm_run_take_present": "sm_backing_populate noted it",
        "sm_run_extend": "as resize",
        "sm_arena_prefault": "no allocation; the run noted it",
        "sm_run_take_retained": "then there is more to be mapped",
    },
    "arena/grow.c": {
        "map_chunk": "notes it before",
        "map_files": "map_chunk noted it",
        "room_left": "no allocation",
        "backing_note": "notes it before",
        "commit": "sm_backing_grow notes the error",
        "block_size": "no allocation",
        "in_blocks": "no allocation",
        "sm_backing_empty": "no allocation",
    },
    "arena/backing.c": {
        "sm_backing_flags": "no allocation",
        "lock_page": "says so",
        "sm_backing_present": "sm_backing_populate notes the error",
    },
    "heap/fallback.c": {
        "sm_fallback_realloc_by": "the C library's answer, for a block that it has",
    },
}
NONE = re.compile(r"\breturn (NULL|false|0);")
FUNCTION = re.compile(r"^(?:static )?(?:inline )?[\w ]+[ *](\w+)\([^;{}]*\)\n\{\n(.*?)^\}\n", re.M | re.S)


def answers(source):
    """The functions that answer none without noting why."""
    return {name for name, body in FUNCTION.findall(source) if NONE.search(body)}


def read(name):
    with open(os.path.join(pages.ROOT, "src", name), encoding="utf-8") as file:
        return file.read()


def scenario_reasons(_env, rep):
    for name, known in KNOWN.items():
        found = answers(read(name))
        rep.equal(sorted(found - set(known)), [], f"{name}: each has a reason (see src/arena/shortage.h)")
        rep.equal(sorted(known.keys() & (known.keys() - set(re.findall(r"\w+", read(name))))), [],
                  f"{name}: each of the list is there still")


def scenario_control(_env, rep):
    """A new way to fail is seen; one with its reason is not."""
    with_none = read("heap/malloc.c") + "\nstatic void *fresh(size_t n)\n{\n    return NULL;\n}\n"
    rep.equal(sorted(answers(with_none) - set(KNOWN["heap/malloc.c"])), ["fresh"], "return NULL")
    noted = read("heap/malloc.c") + "\nstatic bool fresh(void)\n{\n    return sm_short_of(SM_SHORT_CAP);\n}\n"
    rep.equal(sorted(answers(noted) - set(KNOWN["heap/malloc.c"])), [], "with a reason")


def scenario_documented(_env, rep):
    """Each reason has its row in the table, with its remedy; each of the enum has its words."""
    source = read("arena/shortage.c")
    names = re.findall(r"^    (SM_SHORT_\w+),", read("arena/shortage.h"), re.M)
    rep.ok(len(names) >= 16, f"{len(names)} reasons")
    table = source[source.index("reasons[SM_SHORTAGES]"):source.index("static bool limited")]
    rows = re.findall(r"^\| (.*) \|$", messages.section(pages.page(pages.OPERATIONS)), re.M)
    for name in names:
        entry = re.search(rf"\[{name}\] =\s*\{{(.*?)\}},", table, re.S)
        rep.ok(entry, f"{name} has an entry")
        texts = messages.literals(entry[1]) if entry else []
        if not texts:
            rep.ok(name in ("SM_SHORT_EARLY", "SM_SHORT_ABSURD"),
                   f"{name} is said elsewhere, or is no lack")
            continue
        words, remedy = texts
        rep.ok(any(words in row.split(" | ")[0] for row in rows), f"{name}: {words!r} has a row")
        rep.ok(any(remedy in row for row in rows), f"{name}: {remedy!r} is in one")


if __name__ == "__main__":
    report.main(sys.modules[__name__])
