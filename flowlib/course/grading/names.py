"""Names of students: kept as they are written, in any script, and never shared by two of them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

LONGEST = 100  # characters: nbgrader's database holds 128
MOST_BYTES = 200  # a folder's name may have 255
_PUNCTUATION = frozenset(" .,@+'()-_’·・‐‑׳״")
_JOINERS = "\u200c\u200d"  # part of the spelling after a letter of an Indic or Arabic script


@dataclass(frozen=True)
class Person:
    """Somebody as the files of a class name them.

    Args:
        label: the name as it was found.
        number: what the platform adds to tell people of one name apart; '' if it adds nothing.
    """

    label: str
    number: str = ""

    @property
    def origin(self) -> list[str]:
        """What a journal keeps, so that a later run knows this person again."""
        return [self.label, self.number]

    def __str__(self) -> str:
        return f"{self.label} {self.number}".strip()


@dataclass
class Named:
    """The name under which a person is graded, and what has to be said about it."""

    student: str
    notes: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC), as rosters have it; macOS takes accents off their letters."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())


def student_name(name: str) -> str:
    """A name that can be a folder, a key of a database and a cell of a table: strangers choose names too.

    Letters, marks and digits of all scripts stay; what else is not common in names becomes "_".
    """
    name = composed(name)
    kept = "".join(
        letter if _belongs(letter, before) else "_" for letter, before in zip(name, " " + name, strict=False)
    )
    kept = re.sub(r"^\.+", "_", _cut(kept.strip()))
    starts_with_mark = kept and unicodedata.category(kept[0])[0] == "M"
    return "_" + kept if starts_with_mark else kept or "_"


def _belongs(letter: str, before: str) -> bool:
    if letter in _JOINERS:
        return ord(before) > 127 and unicodedata.category(before)[0] in "LM"
    return letter in _PUNCTUATION or unicodedata.category(letter)[0] in "LMN"


def _cut(name: str) -> str:
    return name[:LONGEST].encode()[:MOST_BYTES].decode(errors="ignore").strip()


def tell_apart(people: Iterable[Person], known: Mapping[str, list[str]]) -> dict[Person, Named]:
    """A name for each person, whatever the order in which they come.

    Args:
        known: the origins of students of earlier runs, by the names under which they were graded.
    """
    before = {tuple(origin): student for student, origin in known.items()}
    wishes: dict[str, list[Person]] = {}
    named: dict[Person, Named] = {}
    for person in sorted(people, key=lambda one: (one.label, one.number)):
        wishes.setdefault(student_name(person.label), []).append(person)
        if student := before.get(tuple(person.origin)):
            named[person] = Named(student)
    given = {name.student for name in named.values()}
    used = {*wishes, *known}
    for wish, group in wishes.items():
        for person in group:
            if person not in named:
                mine = len(group) == 1 or person == Person(wish)
                free = wish not in given and not (wish in known and _differ(known[wish], person.origin))
                named[person] = Named(wish if mine and free else _another(wish, person, used | given))
                given.add(named[person].student)
            _say(named[person], person, wish, [str(other) for other in group if other != person])
    return named


def _differ(one: list[str], other: list[str]) -> bool:
    """Whether two origins are of two people: a number that is missing on one side tells nothing."""
    return composed(one[0]) != composed(other[0]) or bool(one[1] and other[1] and one[1] != other[1])


def _another(wish: str, person: Person, used: Collection[str]) -> str:
    """A name that only this person can get: with the platform's number, else with a mark of the original."""
    mark = hashlib.sha256(str(person).encode("utf-8", "surrogatepass")).hexdigest()
    names = [student_name(str(person)), *(f"{wish} {mark[:length]}" for length in range(6, 20))]
    return next(name for name in names if name != wish and name not in used)


def _say(named: Named, person: Person, wish: str, others: list[str]) -> None:
    if named.student not in (composed(person.label), composed(str(person))):
        named.notes.append(f"the name {person.label!r} was written as {named.student!r}")
    if others:
        shown = ", ".join(repr(other) for other in others[:5])
        named.flags.append(
            f"shares the name {wish!r} with {shown}: graded as {named.student!r}, check who is who"
        )
    elif named.student != wish:
        named.flags.append(
            f"the name {wish!r} belongs to somebody else of an earlier run: graded as {named.student!r}"
        )
