#!/usr/bin/env python3
"""Print what pyproject.toml requires: to build and run the package, and for the groups named.

pip can install a dependency group, but not a project's dependencies without the project itself; and
an installed copy of the package would stand beside the checkout that is worked on.
"""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group, with those of the groups that it includes."""
    requirements: list[str] = []
    for item in project["dependency-groups"][name]:
        requirements += group(item["include-group"]) if isinstance(item, dict) else [item]
    return requirements


lines = project["build-system"]["requires"] + project["project"]["dependencies"]
for extra in project["project"]["optional-dependencies"].values():
    lines += extra
for name in sys.argv[1:]:
    lines += group(name)
print(*lines, sep="\n")
