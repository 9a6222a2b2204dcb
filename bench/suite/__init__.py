# SPDX-License-Identifier: Apache-2.0
"""Measurements of libsecretssl against the same programs without it."""

import os
import sys

# Some measurements start the servers of the system tests (the package harness), which know how.
sys.path.append(os.path.join(os.path.dirname(__file__), "..", "..", "test", "system"))
