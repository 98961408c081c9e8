"""Settings of the property tests, and the store that several tests ask."""

import contextlib
import fcntl
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest
from hypothesis import HealthCheck, settings

from sensor.core.cache import is_cached
from sensor.settings import Config
from sensor.warmup import warm_up

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.load_profile("project")

ROOT = pathlib.Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def locked(name: str, how: int):
    """A lock that all processes of this user's tests know."""
    path = pathlib.Path(tempfile.gettempdir()) / f"tapwatch-tests-{os.getuid()}-{name}.lock"
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Tests run on two processors, but live ones alone: what they measure is time, and packets that are not lost."""
    with locked("live", fcntl.LOCK_EX if "live" in item.path.parts else fcntl.LOCK_SH):
        return (yield)


def pytest_configure(config):
    """Kernels are compiled once, by two processes, before tests are even looked for: some modules use them as they are read."""
    if not hasattr(config, "workerinput") and not is_cached():
        warm_up(Config(), store=True)


@pytest.fixture(scope="session")
def bundled_store(tmp_path_factory):
    """DSN of a store with everything that is bundled, each capture on its own; only to be read."""
    store = f"chdb://{tmp_path_factory.mktemp('state')}/store"
    captures = sorted(str(path) for path in (ROOT / "pcaps").rglob("*.pcap*"))
    command = [pathlib.Path(sys.executable).with_name("tapwatch"), "replay", "--each", "--store", store, *captures]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return store
