# SPDX-License-Identifier: Apache-2.0
"""First touch of pages, secret and ordinary."""

import json
import resource

SIDES = ("anonymous", "secret", "copy")


def first_touch(context):
    """µs for a page: ordinary memory, secret memory, and secret memory that is copied into."""
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    mib = context.effort.touch_mib
    if limit != resource.RLIM_INFINITY:
        mib = max(1, min(mib, limit // (4 << 20)))  # it maps two of them
    answer = json.loads(context.run(context.helper("first-touch", mib)))
    return {**{side: round(answer[side] / 1000, 3) for side in SIDES}, "mib": mib, "raw": answer}
