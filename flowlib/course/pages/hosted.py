"""Where a notebook opens on a machine of others. Off until a repository is named here.

Name the repository of the *students'* edition: the instructors' holds the solutions. Neither Colab nor
.devcontainer has been tried; tests look at the form of addresses and files only.
"""

from __future__ import annotations

import re

from flowlib.course.folders import CourseError

REPOSITORY: str | None = None  # "owner/name" on GitHub
BRANCH = "main"


def github() -> str | None:
    """The address of the students' repository, or None while none is named.

    Raises:
        CourseError: REPOSITORY has another form than owner/name.
    """
    if REPOSITORY is None:
        return None
    if not re.fullmatch(r"[A-Za-z0-9-]+/[\w.-]+", REPOSITORY):
        raise CourseError(f"REPOSITORY in {__name__} is called like owner/name; got {REPOSITORY!r}.")
    return f"https://github.com/{REPOSITORY}"


def colab(path: str) -> str | None:
    """Where Colab opens lessons/NN_name/kind.ipynb, or None while no repository is named."""
    return github() and f"https://colab.research.google.com/github/{REPOSITORY}/blob/{BRANCH}/{path}"
