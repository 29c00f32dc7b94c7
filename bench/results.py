"""The file of results: each section with the conditions that it was measured under; a new run replaces its sections."""

import json
import statistics
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.figure import Figure, number

FOLDER = Path(__file__).parent
HEAD = """# Results

Written by `make bench`; what is measured, and how to read it, is in [README.md](README.md). Values are medians of the
rounds. A ratio is the median of the rounds' own ratios to their yardsticks, the lowest and the highest in brackets;
"less" marks figures of which less is better.
"""
CAPTION = "| what | measured | yardstick | ratio | beside |\n|---|---|---|---|---|\n"

Section = Mapping[str, Any]


class Results:
    """`results.json`, and `results.md` made from it."""

    def __init__(self, name: str, folder: Path = FOLDER, *, order: Sequence[str] = ()) -> None:
        self._json = folder / f"{name}.json"
        self._markdown = folder / f"{name}.md"
        self._order = order

    def put(self, section: str, conditions: Mapping[str, str], figures: Sequence[Figure], unsound: str = "") -> None:
        """Replace a section; `unsound` says why it has no, or not all, figures."""
        sections = json.loads(self._json.read_text(encoding="utf-8")) if self._json.exists() else {}
        lines = [asdict(figure) | {"median": figure.median, "ratio": figure.ratio} for figure in figures]
        sections[section] = {"conditions": conditions, "figures": lines, "unsound": unsound}
        sections = {name: sections[name] for name in sorted(sections, key=self._place)}
        self._json.write_text(json.dumps(sections, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        self._markdown.write_text(_written(sections), encoding="utf-8")

    def _place(self, section: str) -> int:
        return self._order.index(section) if section in self._order else len(self._order)


def _written(sections: Mapping[str, Section]) -> str:
    """Conditions that are the same for all sections are said once."""
    every = [set(section["conditions"].items()) for section in sections.values()]
    common = set.intersection(*every)
    first = next(iter(sections.values()))["conditions"].items()
    table = "".join(f"| {name} | {value} |\n" for name, value in first if (name, value) in common)
    text = f"{HEAD}\n| | |\n|---|---|\n{table}"
    return text + "".join(_section(name, section, common) for name, section in sections.items())


def _section(name: str, section: Section, common: Set[tuple[str, str]]) -> str:
    own = [item for item in section["conditions"].items() if item not in common]
    text = f"\n## {name}\n\n"
    if own:
        text += "; ".join(f"{what} {value}" for what, value in own) + "\n\n"
    if section["unsound"]:
        text += f"**Unsound:** {section['unsound']}\n\n"
    if section["figures"]:
        text += CAPTION + "".join(map(_row, section["figures"]))
    return text.rstrip() + "\n"


def _row(figure: Mapping[str, Any]) -> str:
    yardstick, ratio = figure["yardstick"], "-"
    if yardstick is not None:
        ratios = [value / other for value, other in zip(figure["values"], yardstick["values"], strict=True)]
        ratio = f"**{figure['ratio']:.3g}** ({min(ratios):.3g}-{max(ratios):.3g})"
        yardstick = f"{number(statistics.median(yardstick['values']))}, {yardstick['name']}"
    less = ", less" if figure["better"] == "less" else ""
    beside = "; ".join(f"{what}: {value}" for what, value in figure["beside"].items())
    measured = f"{number(figure['median'])} {figure['unit']}{less}"
    return f"| {figure['what']} | {measured} | {yardstick or '-'} | {ratio} | {beside} |\n"
