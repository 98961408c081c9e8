"""Where the machine code of kernels is kept.

Importing this module points Numba at a cache folder of its own; whoever imports Numba imports this first, because Numba
reads the variable once. The folder's name holds a digest of every kernel source: Numba's own cache does not notice that
an imported helper changed, and would go on running the old one.
"""

import hashlib
import os
import pathlib
import platform
import sys
import tempfile

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent
KERNEL_FOLDERS = (
    "sensor/core",
    "sensor/capture",
    "sensor/packets",
    "sensor/streams",
    "sensor/inventory",
    "sensor/store",
    "parsers",
    "detectors",
)


def source_digest() -> str:
    """Digest of all sources that can be compiled into a kernel, and of this interpreter's platform."""
    digest = hashlib.sha256(f"{platform.python_version()} {platform.machine()}".encode())
    for folder in KERNEL_FOLDERS:
        for path in sorted((PROJECT / folder).glob("**/*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def cache_root() -> pathlib.Path:
    """The folder for compiled kernels: CACHE_DIRECTORY (systemd), XDG_CACHE_HOME, ~/.cache, else a temporary one."""
    candidates = [os.environ.get("CACHE_DIRECTORY"), os.environ.get("XDG_CACHE_HOME")]
    home = os.environ.get("HOME")
    if home:
        candidates.append(f"{home}/.cache")
    for candidate in filter(None, candidates):
        root = pathlib.Path(candidate) / "tapwatch" / "kernels"
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(root, os.W_OK):
            return root
    return pathlib.Path(tempfile.gettempdir()) / f"tapwatch-kernels-{os.getuid()}"


def _choose_cache() -> pathlib.Path:
    given, digest = os.environ.get("NUMBA_CACHE_DIR"), source_digest()
    if given and pathlib.Path(given).name == digest:  # a process that chose started this one
        return pathlib.Path(given)
    folder = (pathlib.Path(given) if given else cache_root()) / digest
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid():
        # Loading machine code that somebody else may have written would run it: take a private folder instead.
        folder = pathlib.Path(tempfile.mkdtemp(prefix="tapwatch-kernels-"))
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:  # somebody was quicker
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    return folder


CACHE_FOLDER = _choose_cache()


def is_cached() -> bool:
    """Whether kernels were compiled before from these very sources."""
    return any(CACHE_FOLDER.rglob("*.nbi"))
