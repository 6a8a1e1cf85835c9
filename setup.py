"""Build of the compiled index; everything else about the package is in pyproject.toml.

``SPANSTORE_DEBUG=1`` builds with every bounds and overflow check on.  Directives are
owned here, not in the header of the ``.pyx``: a directive written there would silently
win over the debug build.  Debug and release C files live in separate folders, because
Cython would otherwise reuse whichever was generated last.
"""

from __future__ import annotations

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("SPANSTORE_DEBUG") == "1"

extension = Extension(
    "recorder._index",
    ["recorder/_index.pyx"],
    extra_compile_args=["-O0", "-g"] if DEBUG else ["-O3"],
)

setup(
    ext_modules=cythonize(
        [extension],
        build_dir="build/cython-debug" if DEBUG else "build/cython-release",
        compiler_directives={
            "boundscheck": DEBUG,
            "wraparound": False,
            "initializedcheck": DEBUG,
            "overflowcheck": DEBUG,
            "cdivision": True,
            "embedsignature": True,
        },
    )
)
