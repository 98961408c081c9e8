"""The units: valid, tight, and no tighter than the sensor can live with."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

import msgspec
import pytest

from sensor.config import load_config
from sensor.settings import Config

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "systemd"
UNITS = sorted(path.name for path in FOLDER.glob("*.service"))
TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")


@pytest.fixture
def units(tmp_path):
    """The units as instances of eth1, with the program where it is here."""
    for path in FOLDER.glob("*.service"):
        text = path.read_text().replace("/opt/tapwatch/bin/tapwatch", str(TAPWATCH))
        (tmp_path / path.name.replace("@", "@eth1")).write_text(text)
    return sorted(tmp_path.glob("*.service"))


@needs_systemd
def test_units_are_valid(units):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "tapwatch" in line]
    assert done.returncode == 0 and ours == []


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_units_expose_little(unit):
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", FOLDER / unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]


def test_the_example_configuration_is_one(tmp_path):
    text = (FOLDER / "tapwatch.toml").read_text()
    assert load_config(str(FOLDER / "tapwatch.toml")).sensor == "tap-1"
    whole = tmp_path / "whole.toml"  # what is commented out is right, too
    whole.write_text(re.sub(r"^# (?=[a-z_]+ =|\[)", "", text, flags=re.MULTILINE))
    assert msgspec.convert(tomllib.loads(whole.read_text()), Config).live.filter == "not port 22"


def allowed_calls(unit: str) -> set[str]:
    """System calls that a unit's SystemCallFilter leaves."""
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", (FOLDER / unit).read_text(), re.MULTILINE):
        calls = set().union(*(calls_of(group) for group in line.removeprefix("~").split()))
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


def calls_of(group: str) -> set[str]:
    text = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True).stdout
    names = [line.strip() for line in text.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*(calls_of(name) if name.startswith("@") else {name} for name in names))


@needs_systemd
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("strace"), reason="needs root and strace")
def test_the_sensor_lives_with_the_system_calls_that_are_left(tmp_path):
    """Once to see which it makes, and once more with those refused that the unit refuses."""
    command = [TAPWATCH, "live", "-i", "lo", "--store", f"chdb://{tmp_path}/store", "--duration", "3", "--json"]
    seen = tmp_path / "calls"
    subprocess.run(["strace", "-f", "-qq", "-c", "-o", seen, *command], check=True, timeout=300, capture_output=True)
    made = {line.split()[-1] for line in seen.read_text().splitlines() if line[:1].isspace() and line.split()}
    refused = sorted(made & (calls_of("@privileged") | calls_of("@resources")) - allowed_calls("tapwatch@.service"))
    others = made - allowed_calls("tapwatch@.service") - set(refused) - {"syscall", "total"}
    assert not others and "socket" in made
    inject = [f"--inject={','.join(refused)}:error=EPERM"] if refused else []
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", *inject, *command], timeout=300, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "store").is_dir()
