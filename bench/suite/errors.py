# SPDX-License-Identifier: Apache-2.0
"""The one kind of error that ends a run with a line for the user."""


class BenchError(Exception):
    """Says what is wrong, with which value, and what would be right."""
