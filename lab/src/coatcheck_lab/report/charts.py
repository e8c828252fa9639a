"""Pictures in SVG: bars, curves and timelines, in the colours of the page, with words for who cannot see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

WIDTH, LEFT, RIGHT = 720, 160, 70
ROW = 34
HEIGHT = 300
"""Of a curve; bars are as high as they are many."""


def drawn(chart: Mapping[str, Any], titles: Mapping[str, str]) -> Markup:
    """A chart of the report's data. `titles`: what each contender is called."""
    names = list(chart["series"])
    return _curves(chart, names, titles) if chart["kind"] == "curve" else _bars(chart, names, titles)


def _frame(chart: Mapping[str, Any], height: int, words: str, body: str) -> Markup:
    return Markup(  # noqa: S704 (what is not ours is escaped)
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(words)}"><title>{escape(chart["title"])}'
        f"</title>{body}</svg>"
    )


def _bars(chart: Mapping[str, Any], names: Sequence[str], titles: Mapping[str, str]) -> Markup:
    figures = {name: chart["series"][name][0][1] for name in names}
    most = max([*figures.values(), *chart["limits"].values(), 1e-9])
    wide = WIDTH - LEFT - RIGHT
    parts = []
    for place, (name, figure) in enumerate(figures.items()):
        y = 30 + place * ROW
        length = max(2.0, wide * figure / most)
        parts.append(
            f'<text x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(titles.get(name, name))}</text>'
            f'<rect class="of-{escape(name)}" x="{LEFT}" y="{y}" width="{length:.1f}" height="20" rx="3"/>'
            f'<text x="{LEFT + length + 8:.1f}" y="{y + 15}">{_figure(figure)}</text>'
        )
    height = 40 + len(names) * ROW
    for words, limit in chart["limits"].items():
        x = LEFT + wide * limit / most
        parts.append(
            f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="22" y2="{height - 8}"/>'
            f'<text class="limit" x="{x:.1f}" y="16" text-anchor="end">{escape(words)}</text>'
        )
    told = ", ".join(f"{titles.get(name, name)}: {_figure(figure)}" for name, figure in figures.items())
    return _frame(chart, height, f"{chart['title']}, in {chart['unit']}. {told}", "".join(parts))


def _curves(chart: Mapping[str, Any], names: Sequence[str], titles: Mapping[str, str]) -> Markup:
    points = [point for name in names for point in chart["series"][name]]
    right = max(x for x, _ in points)
    top = max([y for _, y in points] + list(chart["limits"].values())) * 1.05
    wide, high = WIDTH - 70 - LEFT, HEIGHT - 60

    def at(x: float, y: float) -> tuple[float, float]:
        return 60 + wide * x / right, 20 + high * (1 - y / top)

    parts = [f'<line class="axis" x1="60" x2="{60 + wide}" y1="{20 + high}" y2="{20 + high}"/>']
    for words, limit in chart["limits"].items():
        _, y = at(0, limit)
        parts.append(
            f'<line class="limit" x1="60" x2="{60 + wide}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="limit" x="{60 + wide + 6}" y="{y + 4:.1f}">{escape(words)}</text>'
        )
    ends = {name: at(*chart["series"][name][-1]) for name in names}
    for name, level in _apart({name: y for name, (_, y) in ends.items()}).items():
        line = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in chart["series"][name])
        parts.append(
            f'<polyline class="of-{escape(name)}" points="{line}"/>'
            f'<text x="{ends[name][0] + 8:.1f}" y="{level + 4:.1f}">{escape(titles.get(name, name))}</text>'
        )
    parts += [
        f'<text x="{at(x, 0)[0]:.1f}" y="{HEIGHT - 22}" text-anchor="middle">{_figure(x)}</text>'
        for x in sorted({x for x, _ in points})
    ]
    parts.append(f'<text x="{60 + wide / 2}" y="{HEIGHT - 4}" text-anchor="middle">{escape(chart["axis"])}</text>')
    parts.append(f'<text x="6" y="14">{escape(chart["unit"])}, up to {_figure(top / 1.05)}</text>')
    told = "; ".join(
        f"{titles.get(name, name)} from {_figure(chart['series'][name][0][1])} to "
        f"{_figure(chart['series'][name][-1][1])}"
        for name in names
    )
    return _frame(chart, HEIGHT, f"{chart['title']}, in {chart['unit']}, by {chart['axis']}. {told}", "".join(parts))


def _apart(levels: Mapping[str, float]) -> dict[str, float]:
    """Where labels go that would lie over each other: the lowest stays, those above make room."""
    placed: dict[str, float] = {}
    free = float("inf")
    for name, level in sorted(levels.items(), key=lambda item: -item[1]):
        placed[name] = free = min(level, free - 17)
    below = max(0.0, 12 - min(placed.values()))
    return {name: level + below for name, level in placed.items()}


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
