# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/performance.md, between their markers."""

import os
import re

from suite import catalogue, replay_tables, results, tables, targets
from suite.errors import BenchError

BENCH = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
DOCUMENT = os.path.join(os.path.dirname(BENCH), "docs", "performance.md")
RESULTS = os.path.join(BENCH, "results", "figures.json")
FORK_RESULTS = os.path.join(BENCH, "results", "forks.json")
SECTIONS = {
    "machine": tables.machine,
    "targets": targets.targets,
    "figures": tables.figures,
    "sizing": tables.sizing,
    **replay_tables.SECTIONS,
}
# From the results of forks, which may be those of another machine
FORK_SECTIONS = {
    "fork-machine": tables.machine,
    "forks": tables.forks,
    "fork-servers": tables.fork_servers,
}
NOT_MEASURED = "Not measured in this run."


def replace_section(text, name, body, path):
    """TEXT with what stands between the two markers of section NAME replaced by BODY."""
    begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise BenchError(f"{path} must have '{begin}' and '{end}' once, in this order")
    return pattern.sub(lambda _: f"{begin}\n\n{body}\n\n{end}", text)


def _parts(done):
    """The results of everything but forks, and those of forks: what DONE lacks is what is published."""
    names = {measurement["name"] for measurement in done["measurements"]}
    forks = done if names & set(catalogue.FORKS) else results.read(FORK_RESULTS)
    others = done if names - set(catalogue.FORKS) else results.read(RESULTS)
    measurements = [m for m in others["measurements"] if m["name"] not in catalogue.FORKS]
    measurements += [m for m in forks["measurements"] if m["name"] in catalogue.FORKS]
    return {**others, "measurements": measurements}, forks


def rewrite(done, path):
    whole, forks = _parts(done)
    for kind, what in (("quick", "a quick run"), ("aa", "an A/A run")):
        if whole[kind] or forks[kind]:
            raise BenchError(
                f"the results are of {what}, no figures for a document; --print shows them"
            )
    missing = [name for name in catalogue.NAMES if results.find(whole, name) is None]
    if missing:
        raise BenchError(f"the results lack {', '.join(missing)}; run without --only, and once with --forks")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for name, render in SECTIONS.items():
            text = replace_section(text, name, render(whole) or NOT_MEASURED, path)
        for name, render in FORK_SECTIONS.items():
            text = replace_section(text, name, render(forks), path)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from error


def everything(done):
    """All of it, for the terminal."""
    title = "A/A: no preload on either side" if done["aa"] else "With and without, and others"
    parts = [f"## {title}"]
    for name, render in {**SECTIONS, **FORK_SECTIONS}.items():
        if not name.endswith("machine"):
            parts.append(render(done))
    return "\n\n".join(part for part in parts if part)
