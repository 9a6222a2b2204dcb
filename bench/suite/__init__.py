# SPDX-License-Identifier: Apache-2.0
"""Measurements of libsecretssl against the same programs without it."""
