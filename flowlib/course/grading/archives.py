"""Zip files that strangers made: read in memory, with words for whatever is wrong with a member."""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from dataclasses import dataclass
from pathlib import PurePosixPath

from flowlib.course.folders import NOTEBOOK
from flowlib.course.grading import layouts, preflight
from flowlib.course.grading.preflight import Collected

LONGEST_PATH = 500  # characters
_LONGEST_NAME = 255  # bytes of a folder or file
_ENCRYPTED = 0x1  # flags of a member, in zip's specification
_UTF8 = 0x800


@dataclass(frozen=True)
class Member:
    """A file in a zip.

    Args:
        path: where it lies, with "/" between folders, and without what would lead out of the zip.
        trick: its path in the zip was another one: it leads elsewhere, or no folder can hold it.
    """

    path: str
    info: zipfile.ZipInfo
    trick: bool


def members(archive: zipfile.ZipFile) -> list[Member]:
    """The files of a zip, and its folders with a "/" at the end; what systems drop there is left out."""
    found = []
    for info in archive.infolist():
        name = _name(info).replace("\\", "/")
        parts = PurePosixPath(re.sub(r"^[A-Za-z]:(?=/)", "/", name)).parts
        inside = [part for part in parts if part.strip("/") and part != ".."]
        if inside and not preflight.IGNORED.intersection(inside):
            path = "/".join(inside)
            long = len(path) > LONGEST_PATH or any(len(part.encode()) > _LONGEST_NAME for part in inside)
            end = "/" if info.is_dir() else ""
            found.append(Member(path[:LONGEST_PATH] + end, info, trick=long or len(inside) != len(parts)))
    return found


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name. Finder writes UTF-8 and does not say so; zipfile then reads the bytes as cp437."""
    if info.flag_bits & _UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def read(archive: zipfile.ZipFile, member: Member, collected: Collected, name: str) -> None:
    """Read one file into a submission, as `name`, or say why not."""
    shown = repr(member.path[-100:])
    room = preflight.MAX_TOTAL_BYTES - sum(map(len, collected.files.values()))
    limit = min(room, preflight.MAX_FILE_BYTES)
    if len(collected.files) >= preflight.MAX_FILES:
        preflight.say_too_many(collected)
    elif member.trick or not _has_room(name, collected):
        collected.flags.append(
            f"{shown} has a path that leads elsewhere or that no folder can hold: it was not read"
        )
    elif stat.S_ISLNK(member.info.external_attr >> 16):
        collected.flags.append(f"{shown} is a link: it was not read")
    elif member.info.flag_bits & _ENCRYPTED:
        collected.flags.append(f"{shown} is locked with a password: it was not read")
    else:
        content = _content(archive, member, limit + 1)  # the size in the index may be a lie: read with a cap
        if isinstance(content, str):
            collected.flags.append(f"{shown} {content}: it was not read")
        elif len(content) > limit:
            collected.notes.append(f"{shown} is too large: it was not read")
        else:
            collected.files[name] = content


def _has_room(name: str, collected: Collected) -> bool:
    """Whether a folder can hold this file beside those it has: a file is not a folder too."""
    above = {str(parent) for parent in PurePosixPath(name).parents}
    return not above.intersection(collected.files) and not any(
        held.startswith(f"{name}/") for held in collected.files
    )


def _content(archive: zipfile.ZipFile, member: Member, most: int) -> bytes | str:
    """The first bytes of a member, or in words what is wrong with it."""
    try:
        with archive.open(member.info) as file:
            return file.read(most)
    except NotImplementedError:
        return f"is packed by method {member.info.compress_type}, which cannot be unpacked here"
    except Exception:  # damaged bytes end in any error that a decoder can raise
        return "is damaged in the zip"


def unpack(collected: Collected, lesson: str) -> None:
    """Open the zips of a submission that has no notebook beside them. A zip inside them stays closed."""
    if any(name.lower().endswith(".ipynb") for name in collected.files):
        return
    for name in sorted(name for name in collected.files if name.lower().endswith(".zip")):
        try:
            archive = zipfile.ZipFile(io.BytesIO(collected.files[name]))
        except Exception:  # as above
            collected.flags.append(f"{name[-100:]!r} is no zip file, or a damaged one: it was not opened")
            continue
        del collected.files[name]
        with archive:
            inside = [member for member in members(archive) if not member.path.endswith("/")]
            if layouts.is_class([member.path for member in inside], lesson):
                collected.flags.append(f"{name[-100:]!r} holds the work of several people: it was not opened")
                continue
            collected.notes.append(f"the work came in {name[-100:]!r}; it was unpacked")
            for member in inside:
                read(archive, member, collected, member.path)


def bring_home(collected: Collected, lesson: str) -> None:
    """Keep of a student's folders the one of this lesson, else open the folders around everything."""
    rooted = {f"/{name}": content for name, content in collected.files.items()}
    if NOTEBOOK in collected.files or not any(name.lower().endswith(".ipynb") for name in rooted):
        return
    homes = [name.partition(f"/{lesson}/")[0] + f"/{lesson}" for name in rooted if f"/{lesson}/" in name]
    around = os.path.commonpath([os.path.dirname(name) for name in rooted])
    home = max(homes, key=lambda folder: f"{folder}/{NOTEBOOK}" in rooted, default=around)
    if home == "/":
        return
    collected.files = {n[len(home) + 1 :]: c for n, c in rooted.items() if n.startswith(f"{home}/")}
    left = len(rooted) - len(collected.files)
    others = f"; {left} files elsewhere were left out" if left else ""
    collected.notes.append(f"the work lay in the folder {home[1:]!r}{others}")
