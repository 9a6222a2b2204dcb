# SPDX-License-Identifier: Apache-2.0
"""What a soak must have shown, as a list of what is wrong with it."""

# What a process may have more of in the end than at first. The C library's heap is not compact, and allocations
# find other places in it: a part, and a constant. No descriptor more.
SLACK = {"anonymous_kib": (1.10, 1024), "secret_kib": (1.10, 1024), "descriptors": (1, 0), "mappings": (1.10, 8)}


def unexplained(failures, kills):
    """Failed connections that were not open while a process was killed."""
    return [one for one in failures if not any(one[0] <= after and before <= one[1] for before, after in kills)]


def grown(what, base, end, opens=0):
    """Names of figures that are larger in the end than at first by more than the slack, and descriptors by more
    than the server opens."""
    return [f"{what}: {name} went from {base[name]:,} to {end[name]:,}" for name, (part, more) in SLACK.items()
            if end[name] > base[name] * part + more + (opens if name == "descriptors" else 0)]


def creeping(samples, channel=0):
    """Names of figures of the main process whose middle over the last third lies above that of the second one. The
    main process has some descriptors for each of the others, of which there are more or fewer: channel."""
    third = len(samples) // 3
    if third < 5:
        return []
    own = [dict(one["main"], descriptors=one["main"]["descriptors"] - channel * (one["processes"] - 1))
           for one in samples]
    middle = [{name: sorted(one[name] for one in part)[third // 2] for name in SLACK}
              for part in (own[third:2 * third], own[2 * third:3 * third])]
    return grown("main process, second and last third", *middle)


def wrong(run):
    """Lines, each about something that must not be; none: the run is good."""
    load, found = run["load"], []
    strange = unexplained(run["failures"], run["kills"])
    if strange:
        found.append(f"{len(strange)} connections failed that no kill explains, first: {strange[0][2]}")
    if not run["settled"]:
        found.append("the server did not come to rest")
    if load["connections"] < 100 or not load["reloads"] or not load["waves"]:
        found.append(f"there was too little load: {load}")
    found += [f"the server says: {line}" for line in run["complaints"][:5]]
    found += [f"libsecretssl says: {line}" for line in run["messages"][:5]]
    found += grown("main process", run["base"]["main"], run["end"]["main"])
    found += grown("all processes", run["base"]["all"], run["end"]["all"], run["opens"])
    found += creeping(run["samples"], run["channel"])
    if run["protected"] != (run["end"]["main"]["secret_kib"] > 0):
        found.append("the preload was not where it was meant to be")
    if run["copies"] != (0 if run["protected"] else 1):
        found.append(f"scan ended with status {run['copies']}")
    return found
