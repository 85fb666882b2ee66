"""The marks of one student for one lesson: from tests, from a person, or still to come."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mark:
    """The points of one cell.

    `waits` says that a person has still to give them; `by_person` that one has.
    """

    points: float
    most: float
    by_person: bool = False
    waits: bool = False


@dataclass(frozen=True)
class Marks:
    """Every mark by grade_id, the comments that a person wrote by grade_id, and what lateness costs."""

    cells: dict[str, Mark]
    comments: dict[str, str] = field(default_factory=dict)
    penalty: float = 0.0

    @property
    def points(self) -> float:
        """The total, as it stands in the tables."""
        return max(0.0, sum(mark.points for mark in self.cells.values()) - self.penalty)

    @property
    def most(self) -> float:
        return sum(mark.most for mark in self.cells.values())

    @property
    def waiting(self) -> float:
        """The points that a person has still to give."""
        return sum(mark.most for mark in self.cells.values() if mark.waits)
