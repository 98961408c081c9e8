"""The tree's own rules: who may import whom, and what each kernel may do."""

import ast
import pathlib
import tomllib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALLOWED = {
    "sensor/core": (),
    "sensor/capture": ("sensor.core", "sensor.capture", "sensor.scapy_bridge"),
    "sensor/packets": ("sensor.core", "sensor.packets"),
    "sensor/streams": ("sensor.core", "sensor.packets", "sensor.streams"),
    "sensor/inventory": ("sensor.core", "sensor.inventory"),
    "sensor/intent": ("sensor.core", "sensor.inventory", "sensor.intent"),
    "sensor/store": ("sensor.core", "sensor.store"),
    "sensor/outputs": ("sensor.core", "sensor.outputs"),
    "parsers": ("sensor.core", "parsers"),
    "detectors": ("sensor.core", "sensor.inventory", "detectors"),
}
OURS = ("sensor", "parsers", "detectors")


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_run_one_way(folder):
    allowed = (*ALLOWED[folder], folder.replace("/", "."))
    for path in (ROOT / folder).rglob("*.py"):
        for name in imports_of(path):
            if name.split(".")[0] in OURS:
                assert name == "sensor" or name.startswith(allowed), f"{path.relative_to(ROOT)} imports {name}"


def test_scapy_is_imported_by_one_module():
    users = [
        path.relative_to(ROOT).as_posix()
        for folder in OURS
        for path in (ROOT / folder).rglob("*.py")
        if any(name.split(".")[0] == "scapy" for name in imports_of(path))
    ]
    assert users == ["sensor/scapy_bridge.py"]


def test_only_the_core_knows_numbas_decorators():
    for folder in OURS:
        for path in (ROOT / folder).rglob("*.py"):
            if path.parent != ROOT / "sensor/core":
                assert not any(name.split(".")[0] in ("numba", "llvmlite") for name in imports_of(path)), path


def test_every_public_kernel_says_what_it_does():
    silent = []
    for folder in OURS:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef) and any(getattr(d, "id", "") == "kernel" for d in node.decorator_list):
                    if not node.name.startswith("_") and not ast.get_docstring(node):
                        silent.append(f"{path.name}:{node.name}")
    assert silent == []


def test_files_stay_small():
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for folder in OURS
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_every_file_that_is_read_is_installed():
    """What is no Python in a package: an installation that is not editable has it only if it is named."""
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    installed = {
        path for package, globs in named.items() for glob in globs for path in (ROOT / package.replace(".", "/")).glob(glob)
    }
    there = {
        path
        for folder in OURS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".nbi", ".nbc")
    }
    assert there - installed == set()
