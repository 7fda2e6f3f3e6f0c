"""Waiting for what another thread or process does."""

import time

import pytest

GUARD_S = 300  # only against hanging: no test may depend on how busy the machine is


def wait_until(true):
    """Wait until a condition holds."""
    end = time.monotonic() + GUARD_S
    while not true():
        if time.monotonic() > end:
            pytest.fail(f"nothing came of it within {GUARD_S} s")
        time.sleep(0.005)
