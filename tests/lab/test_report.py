"""The lab's report: a page that needs nothing else, data for scripts, and a plain word where something is lacking."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from coatcheck_lab.contenders import CONTENDERS
from coatcheck_lab.experiments import EXPERIMENTS
from coatcheck_lab.experiments import experiment as experiments
from coatcheck_lab.experiments.experiment import Chart, Experiment, Measured, Part, Row, Verdict, run
from coatcheck_lab.laboratory import Laboratory
from coatcheck_lab.report.data import as_data
from coatcheck_lab.report.html import page
from tests.lab.demo import COMMAND

ROOT = Path(__file__).parents[2]

HOSTILE = "</script><img src=x onerror=alert(1)>"


def made(experiment: Experiment) -> str:
    """The page of one row."""
    measured: Measured = {name: {HOSTILE: 1.0, "cannot": None, "yes": True} for name in CONTENDERS}
    row = Row(1, experiment, measured, Verdict(holds=True, why=HOSTILE, best=["session"]))
    return page(as_data([row], Laboratory()))


def chart_of(kind: str) -> Experiment:
    """An experiment with such a picture."""
    points = {"curve": [(0.0, 1.0), (10.0, 5.0)]}.get(kind, [(0.0, 3.0)])

    def charts(measured: Measured) -> list[Chart]:
        return [Chart(kind, HOSTILE, "bytes", dict.fromkeys(measured, points), "roles", {"limit": 4.0})]

    return Experiment(
        "row", Part.DRAWBACK, "A claim.", "What was done.", lambda _: {}, lambda _: Verdict(holds=True, why=""), charts
    )


@pytest.mark.parametrize("kind", ["bars", "curve", "timeline"])
def test_the_page_needs_nothing_else_and_what_was_measured_is_text(kind: str) -> None:
    """No script runs, nothing is fetched, and a picture says in words what it shows."""
    text = made(chart_of(kind))
    assert HOSTILE not in text
    assert not re.search(r"""(?:src|href|url\()\s*=?\s*["']?(?:https?:)?//""", text)
    assert "default-src 'none'" in text
    pictures = [attributes for tag, attributes in tags(text) if tag == "svg"]
    assert len(pictures) == 1
    assert "in bytes" in (pictures[0]["aria-label"] or "")


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    """Every tag of a page with its attributes."""
    found: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    Reader().feed(text)
    return found


def test_labels_of_curves_do_not_lie_over_each_other() -> None:
    """Two that end at one place are told apart."""
    labels = re.findall(r'<text x="[\d.]+" y="([\d.]+)">(?:JWT|stateful|session)', made(chart_of("curve")))
    heights = sorted(map(float, labels))
    assert len(heights) == len(CONTENDERS)
    assert all(second - first >= 16 for first, second in pairwise(heights))
    assert heights[0] > 0


@pytest.mark.parametrize("experiment", [row for row in EXPERIMENTS if row.needs], ids=lambda row: row.name)
def test_a_row_whose_program_is_lacking_says_so_and_how_to_install_it(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not run, and not made up."""
    monkeypatch.setattr(experiments, "find", lambda name: None if name == experiment.needs[0] else Path("/"))
    row = run(1, experiment, Laboratory())
    assert row.verdict is None
    assert row.measured == {}
    assert row.remedy.startswith(f"not run: no {experiment.needs[0]} (apt install ")


def test_json_is_all_that_a_script_reads() -> None:
    """Progress goes to standard error."""
    done = subprocess.run([COMMAND, "run", "--json", "libraries"], capture_output=True, text=True, check=True)
    [row] = json.loads(done.stdout)["rows"]
    assert (row["number"], row["name"], row["holds"]) == (14, "libraries", True)
    assert row["command"] == "coatcheck-lab run libraries"
    assert "libraries" in done.stderr


def test_a_row_that_does_not_exist_is_one_line_that_names_those_that_do() -> None:
    """What to type instead."""
    done = subprocess.run([COMMAND, "run", "speed"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no row is called 'speed'; there are scaling, " in done.stderr


def test_the_rows_are_those_of_the_argument() -> None:
    """Nine claimed advantages, five drawbacks, three uses; each name is its own."""
    parts = [experiment.part for experiment in EXPERIMENTS]
    assert parts == [Part.ADVANTAGE] * 9 + [Part.DRAWBACK] * 5 + [Part.USE] * 3
    assert len({experiment.name for experiment in EXPERIMENTS}) == 17


@pytest.mark.parametrize("name", ["stateless", "local", "stateful", "session"])
def test_a_contender_is_small_and_all_else_is_shared(name: str) -> None:
    """Under 120 lines each: what differs is the mechanism."""
    path = Path(experiments.__file__).parent.parent / "contenders" / f"{name}.py"
    assert len(path.read_text().splitlines()) < 120


def test_a_row_that_breaks_off_says_why_and_the_others_go_on() -> None:
    """On a strange machine sixteen rows are worth having."""

    def broken(_: Laboratory) -> Measured:
        raise OSError("no space left\non the device")

    row = run(
        1, Experiment("row", Part.USE, "A claim.", "", broken, lambda _: Verdict(holds=True, why="")), Laboratory()
    )
    assert row.verdict is None
    assert row.remedy == "broke off: OSError: no space left"


def test_the_copy_in_the_documentation_is_of_these_experiments() -> None:
    """docs/lab.html is what `make lab ARGS="--html docs/lab.html"` writes, of all rows as they are now."""
    text = (ROOT / "docs" / "lab.html").read_text()
    rows = json.loads(text.partition('<script type="application/json" id="data">')[2].partition("</script>")[0])["rows"]
    assert [(row["name"], row["claim"], row["done"]) for row in rows] == [
        (experiment.name, experiment.claim, experiment.done) for experiment in EXPERIMENTS
    ]
    assert all(row["holds"] is not None for row in rows)
    table = (ROOT / "docs" / "lab.md").read_text()
    for number, experiment in enumerate(EXPERIMENTS, 1):
        assert f"| {number} | `{experiment.name}` | {experiment.claim} |" in table


CONTRASTS = {"ink": 4.5, "soft": 4.5, "yes": 4.5, "no": 4.5, "jwt": 3.0, "local": 3.0, "stateful": 3.0, "session": 3.0}
"""What WCAG asks of each colour before the paper: 4.5 of text, 3 of a picture's parts."""


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_colour_stands_out_from_the_paper(mode: str) -> None:
    """For eyes that are not what they were, by day and in the dark."""
    light, _, dark = made(chart_of("bars")).partition("prefers-color-scheme: dark")
    colours = dict(re.findall(r"--(\w+): (#\w{6})", light if mode == "light" else dark))
    paper = luminance(colours["paper"])
    for name, least in CONTRASTS.items():
        lower, higher = sorted((paper, luminance(colours[name])))
        assert (higher + 0.05) / (lower + 0.05) >= least, name


def luminance(colour: str) -> float:
    """As WCAG 2 has it, from 0 to 1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_what_is_wider_than_the_screen_is_scrolled_by_keyboard_and_has_a_name() -> None:
    """Tables and pictures on a phone; without a tabindex no key reaches them in every browser."""
    scrolled = [attributes for _, attributes in tags(made(chart_of("curve"))) if attributes.get("class") == "scroll"]
    assert len(scrolled) == 3
    assert all(one.get("tabindex") == "0" and one.get("role") == "region" and one["aria-label"] for one in scrolled)


def test_a_picture_is_not_shrunk_until_nobody_can_read_it() -> None:
    """Letters of 13 units in a picture of 720 are 6 pixels on a phone, unless it keeps a width."""
    [least] = re.findall(r"svg \{[^}]*min-width: (\d+)rem", made(chart_of("bars")))
    assert int(least) * 16 * 13 / 720 >= 10


def test_what_a_sentence_has_between_backticks_is_code_and_all_else_is_text() -> None:
    """Nobody reads the marks."""
    text = made(replace(chart_of("bars"), done="Row `theft` <b>, and `exp`."))
    assert "Row <code>theft</code> &lt;b&gt;, and <code>exp</code>." in text
