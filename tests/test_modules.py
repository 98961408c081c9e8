"""How kernels are compiled, and what is kept of them: machine code only of what Python calls, no modules, a small process."""

import json
import subprocess
import sys

SCRIPT = """
import gc
import numpy as np
from numba.core.codegen import JITCodeLibrary
from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.core.modules import put_modules_away

plain = int(mix(U(7)))
assert put_modules_away() > 0
assert not [one for one in gc.get_objects() if type(one) is JITCodeLibrary and one._shared_module is not None]

@kernel
def of_both(value, inward):
    return mix(mix(value)) if inward else mix(value)

@kernel
def twice(value):
    return of_both(value, True) ^ of_both(value, False) ^ mix(value)

assert int(mix(U(7))) == plain and int(twice(U(7))) == int(mix(U(plain)))
assert len(of_both.step.signatures) <= 1  # not one for each constant; none where `twice` was in the cache
assert not of_both.signatures  # no machine code of its own
assert int(of_both(U(7), False)) == plain and of_both.signatures
"""


def test_kernels_are_made_of_others(tmp_path):
    """In two processes, the second of which finds the kernels in the cache."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    for _ in range(2):
        done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr


def test_a_sensor_at_rest_is_small():
    """Machine code and libraries of a warm process, without its tables: what the budget counts on (sensor/budget.py)."""
    script = (
        "from sensor.settings import Config; from sensor.warmup import warm_up; warm_up(Config(workers=1))\n"
        "print([int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmRSS')][0] // 1024)"
    )
    sizes = [
        int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=900, check=True).stdout)
        for _ in range(2)
    ]
    assert sizes[-1] < 220


def test_floods_stay_within_the_budget():
    """Peak RSS of each flood, ten times what the tables hold: `--memory 512M` is what the process takes."""
    command = [sys.executable, "-m", "sensor", "bench", "--floods", "--transactions", "600000", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True)
    found = {row["flood"]: row["peak_rss_mb"] for row in map(json.loads, done.stdout.splitlines())}
    assert len(found) == 5 and max(found.values()) <= 512, found
