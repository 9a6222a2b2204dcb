"""Measurements of libsecretssl against the same programs without it."""
