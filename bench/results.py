"""The file of results: each section with the conditions that it was measured under; a new run replaces its sections."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.figure import Figure, number

FOLDER = Path(__file__).parent
HEAD = """# Results

Written by `make bench`; what is measured, and how to read it, is in [README.md](README.md). Values are medians of the
rounds; a ratio is the median of the rounds' own ratios, with the lowest and highest in brackets.
"""
CAPTION = "what | measured | yardstick | ratio | beside"
COMMON = "processor", "memory", "kernel"  # said once as long as they are the same everywhere


class Results:
    """`results.json`, and `results.md` made from it."""

    def __init__(self, name: str) -> None:
        self._json = FOLDER / f"{name}.json"
        self._markdown = FOLDER / f"{name}.md"

    def put(self, section: str, conditions: Mapping[str, str], figures: Sequence[Figure], unsound: str = "") -> None:
        """Replace a section; `unsound` says why it has no, or not all, figures."""
        sections = json.loads(self._json.read_text(encoding="utf-8")) if self._json.exists() else {}
        lines = [asdict(figure) | {"median": figure.median, "ratio": figure.ratio} for figure in figures]
        sections[section] = {"conditions": conditions, "figures": lines, "unsound": unsound}
        self._json.write_text(json.dumps(sections, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        self._markdown.write_text(HEAD + "".join(_section(*item) for item in sections.items()), encoding="utf-8")


def _section(name: str, section: Mapping[str, Any]) -> str:
    conditions = "; ".join(f"{what} {value}" for what, value in section["conditions"].items())
    lines = [f"\n## {name}\n", conditions + "\n"]
    if section["unsound"]:
        lines.append(f"**Unsound:** {section['unsound']}\n")
    if section["figures"]:
        lines += [f"| {CAPTION} |", "|---|---|---|---|---|", *map(_row, section["figures"])]
    return "\n".join(lines).rstrip() + "\n"


def _row(figure: Mapping[str, Any]) -> str:
    yardstick, ratio = figure["yardstick"], "-"
    if yardstick is not None:
        ratios = [value / other for value, other in zip(figure["values"], yardstick["values"], strict=True)]
        ratio = f"**{figure['ratio']:.2g}** ({min(ratios):.2g}-{max(ratios):.2g})"
        yardstick = f"{number(statistics.median(yardstick['values']))}, {yardstick['name']}"
    beside = ", ".join(f"{what}: {value}" for what, value in figure["beside"].items())
    measured = f"{number(figure['median'])} {figure['unit']}"
    return f"| {figure['what']} | {measured} | {yardstick or '-'} | {ratio} | {beside} |"
