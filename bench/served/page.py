"""What was measured, as a page in Markdown: the answer first, then every figure."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence

from bench.figures import Spread
from bench.report import processor

from .contenders import HOME, ROOT, Contender
from .measure import FLIGHTS, HEATS, Heat, Results
from .picture import draw

PAGE, IMAGES = ROOT / "docs" / "performance-served.md", ROOT / "docs" / "images"
ENOUGH = 5
"""Rounds, below which a run is a quick one: its quartiles say little."""
BUSY: Heat = ("read", FLIGHTS[-1])
PACKAGES = (
    *("uvicorn", "uvloop", "httptools", "granian", "gunicorn", "aiohttp", "starlette", "fastapi", "litestar", "flask"),
    *("django", "redis", "psycopg", "pyjwt", "starsessions", "fastapi-users", "flask-session", "aiohttp-session"),
)


def show(spread: Spread | None, places: int) -> str:
    """A median between its quartiles."""
    if spread is None:
        return ""
    low, median, high = (f"{value:.{places}f}" for value in spread)
    return f"{median} ({low} to {high})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown, figures to the right."""
    lines = [head, [name and ("---" if number < 1 or not name else "---:") for number, name in enumerate(head)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def comparisons(results: Results) -> list[tuple[Contender, Contender, Spread]]:
    """Ours beside each peer in the same framework on the same server: 95th percentiles of busy reads, as ratios."""
    there, taken = results.contenders(BUSY), results.slices[BUSY]
    found = []
    for own in (one for one in there if one.ours):
        for peer in (one for one in there if one.peer and (one.server, one.app) == (own.server, own.app)):
            pairs = zip(taken[own.key], taken[peer.key], strict=True)
            ratios = [mine.p95 / theirs.p95 for mine, theirs in pairs if mine and theirs]
            if len(ratios) > 1:
                found.append((own, peer, Spread.of(ratios)))
    return found


def _verdict(spread: Spread) -> str:
    if spread.high < 1:
        return "below"
    return "**not below**" if spread.low >= 1 else "cannot be told apart"


def _latency(results: Results) -> str:
    found = comparisons(results)
    verdicts = [_verdict(spread) for *_, spread in found]
    below, above = verdicts.count("below"), verdicts.count("**not below**")
    if not found:
        return ""
    unclear = len(found) - below - above
    told = f"{below} of {len(found)} comparisons are below, {above} are not, {unclear} cannot be told apart"
    answer = "**Yes**" if below == len(found) else "**No, not every one**"
    rows = [
        [own.server, own.name, peer.name, show(spread, 2), verdict]
        for (own, peer, spread), verdict in zip(found, verdicts, strict=True)
    ]
    return (
        "**Is the 95th percentile of reads at 50 connections below every Python peer's?** "
        f"{answer}: {told}. Each is with a peer in the same framework on the same server, as the ratio of the two "
        "percentiles within a round. It is *below* when the upper quartile of the rounds is below 1, *not below* when "
        "the lower one is not. Signed cookies are among the peers; they ask no store, and cannot be revoked.\n\n"
        + table(["server", "ours", "peer", "p95, x the peer's", ""], rows)
    )


def _price(results: Results) -> str:
    head = ["server", "ours", *(f"{flight} connection{'s' * (flight > 1)}" for flight in FLIGHTS)]
    rows = []
    for one in results.contenders(BUSY):
        ratios = [results.ratio(("read", flight), one) for flight in FLIGHTS]
        if one.ours and any(ratios):
            rows.append([one.server, one.name, *(show(ratio, 2) for ratio in ratios)])
    return (
        "**What does a read cost next to PyJWT's check on the same server?** In processor time of the server's "
        "processes, net over the bare application, as a multiple of what checking an HS256 token adds there in the "
        "same round. Below 1 it is cheaper. The store's own processor time is not in it; the tables below have it.\n\n"
        + table(head, rows)
    )


def _heat(results: Results, heat: Heat) -> str:
    head = [
        "contender",
        "requests/s",
        "p50, ms",
        "p95, ms",
        "p99, ms",
        "CPU, us",
        "net of bare, us",
        "x PyJWT",
        "stores, us",
    ]
    parts = []
    there = results.contenders(heat)
    for server in dict.fromkeys(one.server for one in there):
        rows = [
            [
                f"**{one.name}**" if one.ours else one.name,
                show(results.of(heat, one, lambda part: part.rate), 0),
                f"{results.of(heat, one, lambda part: 1e3 * part.p50).median:.2f}",
                show(results.of(heat, one, lambda part: 1e3 * part.p95), 2),
                f"{results.of(heat, one, lambda part: 1e3 * part.p99).median:.2f}",
                f"{results.of(heat, one, lambda part: 1e6 * part.cpu).median:.0f}",
                "" if one.kind == "bare" else show(results.net(heat, one), 0),
                "" if one.kind == "bare" else show(results.ratio(heat, one), 2),
                f"{results.of(heat, one, lambda part: 1e6 * part.stores).median:.0f}",
            ]
            for one in there
            if one.server == server
        ]
        parts.append(f"On {server}:\n\n{table(head, rows)}")
    act, flight = heat
    return f"### {act.capitalize()}, {flight} connection{'s' * (flight > 1)}\n\n" + "\n\n".join(parts)


def tables(results: Results) -> str:
    """What is told on a terminal, and most of the page."""
    return "\n\n".join(
        [_latency(results), _price(results), *(_heat(results, heat) for heat in HEATS if results.contenders(heat))]
    )


def _versions() -> str:
    names = {
        path.name.partition("-")[0].replace("_", "-").lower(): path.name
        for path in HOME.glob("lib/*/site-packages/*.dist-info")
    }
    return ", ".join(
        f"{name} {names[name].partition('-')[2].removesuffix('.dist-info')}" for name in PACKAGES if name in names
    )


METHOD = """## How it is measured

`make bench-served` starts every server at once, each with one worker process, in one environment: servers,
frameworks and drivers are the same for all. Idle ones cost next to nothing. uvicorn and granian run on uvloop,
uvicorn with httptools; gunicorn's gthread has 8 threads; its sync worker closes the connection after each answer;
aiohttp and Node run as they come. Redis keeps nothing on disk; PostgreSQL syncs. Django's database is SQLite with a
write-ahead log and a connection that stays. fastapi-users has its users in a dict. Coatcheck's settings are as they
come, but for the near cache where it is named.

* wrk drives one server at a time, in a slice of {seconds:g} s after a short warm-up. Within a round each server has
  its turn in each class; the order is drawn anew for each round. There were {rounds} rounds. Medians are told, with
  the quartiles in brackets; ratios and differences are taken within a round.
* Each connection is a visitor with a session, a cookie or a token of its own, with a browser's headers, and follows
  `Set-Cookie`. wrk runs a thread for each. It checks status and body of every answer; one that is wrong makes the
  run fail.
* *Read* shows who is signed in, in which role. *Write* changes one field. *Login* signs somebody new in. A token
  has nothing to write.
* Before the run each contender has to sign in 50 visitors, know each, know nobody by a changed credential, and read
  back what was written. After each slice of writes and logins the first visitor's last one is asked for from
  outside.
* wrk takes processor time from the server that it measures, so requests a second and latencies belong to this
  machine. Latencies are of every
  answer but the first of each connection, which waits to be accepted. *CPU* is what the kernel accounts to
  the server and its workers, a request; *stores* the same for Redis and PostgreSQL together, what they spend on
  idle connections and caches included. *net* is less the bare application in the same framework on the same server.
  *x PyJWT*: this, in terms of what checking an HS256 token at a read adds on the same server at as many
  connections.
* Express on Node has no PyJWT to be compared with. A place is empty where in some round a busy machine made PyJWT seem
  to cost nothing.
"""


def write(results: Results) -> None:
    """The page, and its pictures."""
    IMAGES.mkdir(exist_ok=True)
    draw(
        results,
        BUSY,
        lambda one: results.of(BUSY, one, lambda part: 1e3 * part.p95),
        "95th percentile of reads at 50 connections, ms",
        IMAGES / "served-p95.svg",
    )
    draw(
        results,
        BUSY,
        lambda one: None if one.kind == "bare" else results.net(BUSY, one),
        "processor time of a read at 50 connections, net of the bare application, us",
        IMAGES / "served-cost.svg",
    )
    parts = [
        "# What it costs through real servers",
        "Written by `make bench-served ARGS=--write`; run it on your own machine. What sessions cost without a server "
        "around them is in [performance](performance.md).",
    ]
    if results.rounds < ENOUGH:
        parts.append(
            f"**This is a quick run** (`--quick`): {results.rounds} rounds of short slices on a busy machine. It "
            "shows that all parts work; its quartiles say little, and its answers are no more than a hint."
        )
    parts += [
        _latency(results),
        _price(results),
        "![95th percentiles of reads, by server](images/served-p95.svg)",
        "![Processor time of reads, by server](images/served-cost.svg)",
        "Points are medians, bars go from quartile to quartile; green is Coatcheck, grey bare applications and "
        "tokens, red other sessions.",
        METHOD.format(seconds=results.seconds, rounds=results.rounds).rstrip(),
        "## Every figure",
        *(_heat(results, heat) for heat in HEATS if results.contenders(heat)),
        "## The machine",
        f"{processor()}; {platform.system()}; {platform.python_implementation()} {platform.python_version()}; "
        f"{results.versions}; {_versions()}. wrk had the same processors.",
    ]
    if results.wrong:
        parts += ["## Wrong answers", "\n".join(f"* {wrong}" for wrong in results.wrong)]
    PAGE.write_text("\n\n".join(part for part in parts if part) + "\n")
