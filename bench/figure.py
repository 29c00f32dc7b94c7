"""Figures: what was measured in each round, beside the yardstick of the same round."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a figure is held against; one value a round."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the results."""

    what: str
    unit: str
    values: Sequence[float]  # one a round
    yardstick: Yardstick | None = None
    better: Literal["more", "less"] = "more"
    beside: Mapping[str, str] = field(default_factory=dict)  # what else was seen

    @property
    def median(self) -> float:
        """Of the rounds."""
        return statistics.median(self.values)

    @property
    def ratios(self) -> Sequence[float]:
        """Each round's value over its own yardstick."""
        if self.yardstick is None:
            return []
        return [value / yardstick for value, yardstick in zip(self.values, self.yardstick.values, strict=True)]

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios; None where there is no yardstick."""
        return statistics.median(self.ratios) if self.yardstick is not None else None

    def __str__(self) -> str:
        text = f"{self.what}: {number(self.median)} {self.unit}"
        if self.yardstick is not None and self.ratio is not None:
            yardstick = f"{self.yardstick.name} {number(statistics.median(self.yardstick.values))}"
            text += f"; {yardstick}; ratio {self.ratio:.3g}"
        return text + "".join(f"; {name} {value}" for name, value in self.beside.items())


def interleaved(rounds: int, *measurements: Callable[[], float]) -> list[list[float]]:
    """Each one's values, taken one after the other, round after round: what slows the machine slows all of them."""
    taken: list[list[float]] = [[] for _ in measurements]
    for _ in range(rounds):
        for values, measure in zip(taken, measurements, strict=True):
            values.append(measure())
    return taken


def number(value: float) -> str:
    """For people: three digits at least, no false precision."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which so many percent lie."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]
