"""What every test shares: figures without a screen, and one thread of torch in each of xdist's workers."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import torch
from hypothesis import settings

HOUSE = Path(__file__).resolve().parents[1]
# The same draws in every run: a check that fails by chance teaches people not to look.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)


def start(command: list[str], **options) -> subprocess.Popen:
    """Start a program that Ctrl-C ends, also where these tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command, **options)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def house() -> Path:
    """The folder of the course."""
    return HOUSE


@pytest.fixture
def tiny_course(tmp_path) -> Path:
    """A course of its own with one tiny exercise."""
    from tests.tiny import make_tiny_course  # needs nbformat, which a machine with a GPU may lack

    return make_tiny_course(tmp_path)
