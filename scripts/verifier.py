"""Build the verifier as a package of its own: what ``recorder verify`` is made of, and no more.

.venv/bin/python scripts/verifier.py FOLDER   writes spanstore_verify-VERSION-py3-none-any.whl there
                                              and, unless `--alone` follows, what it needs

Which modules it takes follows from what the verifier imports; the compiled index stays behind, its
twin in Python is as good.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
ENTRY = "recorder.evidence.command"
COMPILED = "recorder._index"
NEEDED = ("cryptography", "rfc3161-client", "typing-extensions")
SETTINGS = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "spanstore-verify"
version = "{version}"
description = "Verifies bundles of evidence that a Spanstore recorder handed out"
readme = "README.md"
requires-python = ">=3.11"
license = "Apache-2.0"
license-files = ["LICENSE", "NOTICE"]
dependencies = {needed}

[project.scripts]
spanstore-verify = "recorder.evidence.command:main"

[tool.setuptools]
packages = {packages}
"""
README = """\
# spanstore-verify

    pip install --no-index --find-links FOLDER_OF_THIS_FILE spanstore-verify
    spanstore-verify BUNDLE --key FINGERPRINT

says of a bundle of evidence what is proven, what is not, and what is broken (exit code 65).
It needs no recorder and no network. Where a recorder is installed, `recorder verify` is the same:
do not install both into one Python.
"""


def path_of(module: str) -> Path | None:
    """Return the file of a module of ours."""
    base = ROOT / Path(*module.split("."))
    return next(
        (one for one in (base.with_suffix(".py"), base / "__init__.py") if one.is_file()), None
    )


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield what a module imports of ours, also within functions, not for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)
        else:
            yield from imported(node)


def closure(entry: str) -> dict[str, Path]:
    """Return all modules of ours that one needs, by name, with the packages they are in."""
    found: dict[str, Path] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        path = path_of(name)
        if name in found or name == COMPILED or path is None or not name.startswith("recorder"):
            continue
        found[name] = path
        waiting += [name.rpartition(".")[0], *imported(ast.parse(path.read_text()))]
    return found


def build(folder: Path) -> Path:
    """Build the wheel; return its path."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    modules = closure(ENTRY)
    packages = sorted(name for name, path in modules.items() if path.name == "__init__.py")
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name)
        for path in modules.values():
            target = tree / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        for one in ("LICENSE", "NOTICE"):
            shutil.copy(ROOT / one, tree / one)
        said = SETTINGS.format(version=version, needed=list(NEEDED), packages=packages)
        (tree / "pyproject.toml").write_text(said)
        (tree / "README.md").write_text(README.format(version=version))
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
        words = [*pip, "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, tree]
        subprocess.run(words, check=True)
    return folder / f"spanstore_verify-{version}-py3-none-any.whl"


def needed() -> list[str]:
    """Return what the verifier needs, and what that needs, as it is installed here: NAME==VERSION.

    Where it is installed there need be no network: these go out with it.
    """
    found: dict[str, str] = {}
    waiting = list(NEEDED)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        package = distribution(name)
        found[name] = f"{name}=={package.version}"
        wanted = map(Requirement, package.requires or ())
        waiting += [one.name for one in wanted if not one.marker or one.marker.evaluate()]
    return sorted(found.values())


def gather(folder: Path) -> None:
    """Put the wheels of what the verifier needs beside it."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    only = ["--no-deps", "--only-binary", ":all:", "--dest", folder]
    subprocess.run([*pip, *only, *needed()], check=True)


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "dist")
    print(build(target))
    if "--alone" not in sys.argv:
        gather(target)
