# SPDX-License-Identifier: Apache-2.0
"""Runs a scenario of a page in a scratch machine."""

import os

import blocks
import machine
import pages


def run_block(rep, scratch, block):
    """Writes a file, or runs the commands one by one; False when it went wrong."""
    if block.shown:
        return True
    if block.language != "console":
        scratch.write(block.file, block.text, block.where)
        rep.ok(True, f"line {block.line}: {block.file} is written")
        return True
    for command, shown in block.commands():
        done = scratch.run(command)
        good = rep.ok(done.status == 0, f"line {block.line}: {command}", done)
        if good and shown:
            good = rep.ok(blocks.matches(shown, done.out + done.err),
                          f"line {block.line}: {command}: says what the page shows", done)
        if not good:
            rep.note(scratch.run("journalctl --no-pager --boot | tail -n 30").out)
            return False
    return True


def staged(env):
    """Where the project lies as a package has it: made by the test docs.stage."""
    return os.path.join(env.build, "docs-staged")


def run(env, rep, name, scenario, prepare="", checks=None, options=()):
    """All blocks of a scenario; then checks(scratch). `prepare`: what the reader has already."""
    todo = [block for block in blocks.fenced(pages.page(name)) if block.scenario == scenario]
    rep.ok(todo, f"{name} has a scenario {scenario}")
    with machine.Machine(env, staged(env), options) as scratch:
        done = scratch.run(prepare)
        rep.ok(done.status == 0, "prepared", done)
        for block in todo:
            if not run_block(rep, scratch, block):
                return
        if checks:
            checks(scratch)
