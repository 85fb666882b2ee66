"""The extras of flowlib: what each asks for, and the command that installs it."""

from __future__ import annotations

import importlib.metadata
import re
import sys

from flowlib.course.folders import CourseError


def command(*extras: str) -> str:
    """The line that installs the course with these extras, typed in its folder."""
    wanted = ",".join(dict.fromkeys(["course", *extras]))
    return f'{sys.executable} -m pip install -c constraints.txt -e ".[{wanted}]"'  # zsh needs the quotes


def asked_for(extra: str) -> list[str]:
    """Names of the packages that an extra asks for; "": of those that flowlib always asks for."""
    found = []
    for line in importlib.metadata.requires("flowlib") or []:
        name, _, marker = line.partition(";")
        of = re.search(r"extra == ['\"](\w+)['\"]", marker)
        if (of.group(1) if of else "") == extra:
            found.append(re.split(r"[^\w.-]", name.strip())[0])
    return found


def absent(extra: str) -> list[str]:
    """Those of an extra's packages that are not installed."""
    return [name for name in asked_for(extra) if not _is_there(name)]


def needs(extra: str) -> None:
    """Refuse where an extra is not installed, before anything is imported that would fail in other words.

    Raises:
        CourseError: packages are missing; the message names them and the command that installs them.
    """
    if missing := absent(extra):
        raise CourseError(f"{', '.join(missing)} must be installed for this: {command(extra)}")


def _is_there(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
