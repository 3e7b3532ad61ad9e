"""The results of a run: a row for each process, and what is made of them."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from .cases import Figure

__all__ = ["Key", "Results", "Row", "Summary"]

# Above this share of the processors used by others, ratios may be theirs.
QUIET = 0.05


class Key(NamedTuple):
    case: str
    base: str
    participant: str
    parameter: int


class Summary(NamedTuple):
    """Of one figure over the rounds; the spread is from the lowest to the highest."""

    value: float
    lowest: float
    highest: float

    @property
    def spread(self) -> float:
        """Return half the range, as a share of the value."""
        return (self.highest - self.lowest) / 2 / self.value if self.value else 0.0


@dataclass
class Row:
    """What one process measured.

    Attributes:
        others: share of the processors that other processes used meanwhile.
        seconds: how long the process took, from its start to its end.
    """

    case: str
    base: str
    participant: str
    parameter: int
    round: int
    figures: dict[str, float]
    backend: dict[str, Any]
    others: float = 0.0
    seconds: float = 0.0

    @property
    def key(self) -> Key:
        return Key(self.case, self.base, self.participant, self.parameter)


@dataclass
class Results:
    """One run.

    Attributes:
        unmeasured: who couldn't take part, in which cases, and why.
    """

    machine: dict[str, Any]
    settings: dict[str, Any]
    unmeasured: dict[str, dict[str, str]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    @cached_property
    def _by_key(self) -> dict[Key, list[Row]]:
        found: dict[Key, list[Row]] = defaultdict(list)
        for row in self.rows:
            found[row.key].append(row)
        return dict(found)

    def summary(self, key: Key, figure: Figure) -> Summary | None:
        """Return a figure over the rounds, None where it wasn't measured."""
        rows = self._by_key.get(key, [])
        values = [row.figures[figure.name] for row in rows if figure.name in row.figures]
        if not values:
            return None
        value = max(values) if figure.over_rounds == "max" else statistics.median(values)
        return Summary(value, min(values), max(values))

    def parameters(self, case: str) -> list[int]:
        return sorted({key.parameter for key in self._by_key if key.case == case})

    def bases(self, case: str) -> list[str]:
        return list(dict.fromkeys(key.base for key in self._by_key if key.case == case))

    def participants(self, case: str) -> list[str]:
        return list(dict.fromkeys(key.participant for key in self._by_key if key.case == case))

    def unmeasured_lines(self) -> list[str]:
        """Tell who wasn't measured, a line for each reason."""
        lines = []
        for participant, cases in self.unmeasured.items():
            for reason in dict.fromkeys(cases.values()):
                names = ", ".join(case for case in cases if cases[case] == reason)
                lines.append(f"{participant} ({names}): {reason}")
        return lines

    @property
    def others(self) -> float:
        """The median share of the processors that other processes used."""
        return statistics.median(row.others for row in self.rows)

    @property
    def quiet(self) -> bool:
        return self.others <= QUIET

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Results:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            rows = [Row(**row) for row in found.pop("rows")]
            return cls(**found, rows=rows)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} isn't what `run` wrote: run it again") from error
