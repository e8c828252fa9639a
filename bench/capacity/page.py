"""The page: what was assumed, what follows for so many users, and what was measured for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from coatcheck.near import LIFE

from . import traffic
from .figures import Figures
from .sizing import GIB, REDIS, Needs, budget, needs_of
from .traffic import DAY, Mix

DOCS = Path(__file__).parents[2] / "docs"
PAGE, PICTURE, FIGURES = DOCS / "capacity.md", DOCS / "capacity.svg", DOCS / "capacity.json"
USERS = (1_000_000, 10_000_000, 100_000_000)
EXAMPLE = "redis", 1_000_000

NAMES = {
    "sqlite": "SQLite file",
    "redis": "Redis, single",
    "cluster": "Redis Cluster",
    "postgresql": "PostgreSQL",
    "unlogged": "PostgreSQL, unlogged",
}

_INTRO = """\
# Capacity

How much memory, disk and processor the sessions of so many users take: computed from measured figures and a traffic
that is assumed. `make bench-capacity ARGS=--write` measures everything anew and wrote this page, the figures
([capacity.json](capacity.json)) and the picture. For your own traffic nothing need be measured, nor simulated, again:

```sh
make bench-capacity ARGS="--measured docs/capacity.json --requests 50 --data 3000"
```"""

_ASSUMED = """\
## What is assumed

Guesses, not measurements. Replace them by your own; the option is the name."""

_NEEDED = """\
## What follows

Cores are for sessions alone, beside what the application does. "For sessions" is in RAM for Redis and on disk for the
others, room included. In brackets: cores as if each were fully busy."""

_AFTER_NEEDED = """\
- All of it is an extrapolation from {sessions:,} sessions, on a straight line. Up to a million sessions that line was
  seen to hold for the time of each verb, and for bytes in SQLite and PostgreSQL ([scale](scale.md)); beyond that nobody
  has looked. Redis doubles its two tables of keys at a time: up to 16 bytes a key more or less than here.
- A file of SQLite belongs to one machine and has one writer at a time: for a million users {writes:,.0f} writes a
  second at the peak, of which logins, ends and tickets each wait for the disk. Where that, or the cores, are more than
  one machine has, it ends.
- PostgreSQL's cores are one server's: Coatcheck does not split users over several. Where one does not suffice, take
  Redis Cluster.
- Replicas are not counted: with one for each primary, or a standby, memory and disk double.
- Not in it: the network's and TLS's share of a processor outside of these processes, Redis's append-only file,
  PostgreSQL's log and standby, waiting for disks, pools and proxies, sessions that have ended (a day's notes of under
  100 bytes each)."""

_BY_HAND = """\
## One of them by hand

{users:,} users, {name}; the figures are those of the tables below."""

_WEIGHTS = """\
## What a session takes

Bytes, by filling an empty store of each kind with {sessions:,} sessions that have a browser's address and name: of
nobody, of as many users, and of users who have five each. The last two tell a session from its user. *A user* is the
index by which sessions are found, and the gate against late logins. Redis: what it says of its data and its key tables,
without buffers; a cluster: its primaries. SQLite and PostgreSQL: pages, just filled, without dead rows."""

_SQLITE = """\
SQLite keeps what is longer than about a quarter of a page in pages of its own: there a session takes a whole page of
4096 bytes more. PostgreSQL compresses records of more than 2000 bytes."""

_BUDGET = """\
The budget for Redis is 1.3 times the same data as one JSON string under a key with a time to live, and 400 bytes for
record and index. A user's only session, as it comes, and without address and browser (`record_client=False`):"""

_COSTS = """\
## What a request costs

Microseconds of processor time for one request, never wall time, so what else the machine does meanwhile is not in it
(though it makes caches colder). *Application*: in its process, through the middleware in Starlette, less the same page
without it; the median of {rounds} rounds of {lap} requests. *Store*: in the server's processes, all of them, background
work included; the mean. Sessions hold {data} bytes of data, each request comes with another session, and all of it is
read. SQLite's work is the application's. In a cluster the three primaries count, not their replicas."""

_CLASSES = """\
*visitor*: no cookie. *touch*, *rotate*: a read that also stores when the session was last seen, or a new secret.
*write*: one field. *login*: a new user, with the data. *list*: of a user with two sessions. *revoke*: ends a user's
other session. *ticket*: issued and redeemed in one request. What has ended is deleted a day later; here *rotate* comes
a day after the rest, so that in SQLite and PostgreSQL some of that work is in it.

With {flight} in flight several calls share a round trip to Redis: a computation with the figures for one at a time, as
above, is on the safe side. In SQLite and PostgreSQL they share nothing: compare the tables, or compute with
`--flight {flight}`."""

_NEAR = """\
## A near cache

The share of loads that the [near cache](near-cache.md) answers, simulated by its rules: nothing in this part was
measured. Each process keeps the sessions that it has read last. An entry serves for {life:g} seconds, until its session
changes, in whichever process, or until the process begins anew, once a day.

The crowd: {users:,} users at the peak, who come in proportion to their rank to the power of -{zipf:g}; {requests:g}
requests a user a day with a cookie; visits of {pages:g} pages in the mean, {burst} requests each, {think:g} s from page
to page; {changes:.1%} of requests change the session, and the first read after a day does. {asks:,} loads of {active:,}
sessions, seed {seed}; the first half hour does not count.

![{alt}](capacity.svg)

Loads answered:"""

_ALT = (
    "Hit rate by entries in each process: with sticky balancing it hardly depends on the number of processes, with "
    "random balancing it falls with it"
)

_AFTER_NEAR = """\
- Sticky balancing sends a session to one process, which answers the requests of a page after its first, and the next
  page if that comes soon. It needs entries for the sessions of the last {life:g} seconds, divided by the processes;
  more do not help.
- With random balancing each process loads a session itself, after {life:g} seconds and after every change. More
  entries do not mend that.
- With ten times the users on as many processes, ten times the entries do the same.
- `--near 0.6` computes with 60 % of reads answered: the store's processors need less, its memory does not. What the
  application saves is in [what it costs](performance.md). Here: {name} for {users:,} users, {times:,.0f} times the
  crowd, and {processes} processes with {entries:,} entries each: {without:.2f} busy cores without near caches,
  {random_cores:.2f} with the {random:.0%} of random balancing, {sticky_cores:.2f} with the {sticky:.0%} of
  sticky balancing."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """In Markdown; the first columns are aligned to the left."""
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])


def page(figures: Figures, mix: Mix) -> str:
    """The whole page. Raises ValueError where the mix asks for what was not measured."""
    crowd, near = figures.near.crowd, figures.near
    store, users = EXAMPLE
    if store not in figures.weights:
        store = next(iter(figures.weights))
    flights = sorted(next(iter(figures.costs.values())))
    parts = [
        _INTRO,
        _ASSUMED,
        _assumed(mix),
        _NEEDED,
        _needed(figures, mix),
        _AFTER_NEEDED.format(sessions=figures.sessions, writes=mix.at_peak(USERS[0]) * mix.writes()),
        _BY_HAND.format(users=users, name=NAMES[store]),
        f"```text\n{by_hand(figures, store, users, mix)}```",
        _WEIGHTS.format(sessions=figures.sessions),
        _weights(figures),
        _SQLITE,
        *_budget(figures),
        _COSTS.format(rounds=figures.rounds, lap=figures.lap, data=figures.data),
        *(_costs(figures, flight) for flight in flights),
        _CLASSES.format(flight=flights[-1]),
        _NEAR.format(**vars(crowd), life=LIFE, alt=_ALT, asks=near.asks, active=near.active),
        *(_near(figures, balancing) for balancing in near.rates),
        _after_near(figures, mix),
        "## The machine",
        f"{figures.machine}. Other work ran on it meanwhile.",
    ]
    return "\n\n".join(parts) + "\n"


def _assumed(mix: Mix) -> str:
    rows = [[f"`{option}`", traffic.TEXTS[name], f"{getattr(mix, name):g}"] for name, option in traffic.OPTIONS.items()]
    rows.append(["", "what is left: the share of requests that only read", f"{mix.shares()['read']:g}"])
    return table(["option", "what", ""], rows, left=2)


def _needed(figures: Figures, mix: Mix) -> str:
    rows = []
    for users in USERS:
        for store in figures.weights:
            found = needs_of(figures, store, users, mix)
            rows.append([f"{users:,}", NAMES[store], *_cells(store, found, mix)])
    head = [
        "users",
        "store",
        "sessions",
        "requests a second",
        "for sessions",
        "application cores",
        "store cores",
        "Redis primaries",
    ]
    return table(head, rows, left=2)


def _cells(store: str, found: Needs, mix: Mix) -> list[str]:
    size = f"{found.bytes * mix.room / GIB:,.1f} GiB"
    cells = [f"{found.sessions:,.0f}", f"{found.requests:,.0f}", size, f"{found.app_cores:,} ({found.app:.2f})"]
    if store == "sqlite":
        return [*cells, "in the application", ""]
    if store not in REDIS:
        return [*cells, f"{found.store_cores:,} ({found.store:.2f})", ""]
    primaries = f"{found.primaries:,}"
    if store == "redis" and found.primaries > 1:
        primaries = "one is not enough"
    return [*cells, f"({found.store:.2f})", primaries]


def by_hand(figures: Figures, store: str, users: int, mix: Mix) -> str:
    """Each step of the arithmetic, with its numbers."""
    weight, costs = figures.weight(store, int(mix.data)), figures.costs[store][int(mix.flight)]
    found, shares = needs_of(figures, store, users, mix), mix.shares()
    rate = found.requests
    sums = {
        part: " + ".join(f"{share:g} x {getattr(costs[name], part):g}" for name, share in shares.items())
        for part in ("app", "store")
    }
    mean = {
        part: sum(share * getattr(costs[name], part) for name, share in shares.items()) for part in ("app", "store")
    }
    of_users, of_nobody = users * mix.sessions, users * mix.anonymous
    room = found.bytes * mix.room / GIB
    lines = [
        f"sessions     {users:,} x {mix.sessions:g} + {users:,} x {mix.anonymous:g} = {found.sessions:,.0f}",
        f"bytes        {of_users:,.0f} x {weight.session:g} + {of_nobody:,.0f} x {weight.anonymous:g} "
        f"+ {min(users, of_users):,.0f} x {weight.user:g} = {found.bytes:,.0f}",
        f"with room    {found.bytes:,.0f} x {mix.room:g} / 2^30 = {room:,.1f} GiB",
        f"requests     {users:,} x {mix.requests:g} / {DAY:,} x {mix.peak:g} = {rate:,.0f} a second",
        f"a request    in the order {', '.join(shares)}:",
        f"application  {sums['app']} = {mean['app']:.1f} us",
        f"             {rate:,.0f} x {mean['app']:.1f} / 1,000,000 = {found.app:.2f} busy cores; "
        f"/ {mix.load:g}, rounded up: {found.app_cores:,}",
    ]
    near = f", reads x {1 - mix.near:g} for the near cache" if mix.near else ""
    if store != "sqlite":
        lines += [
            f"store        {sums['store']} = {mean['store']:.1f} us{near}",
            f"             {rate:,.0f} x {found.store / rate * 1e6:.1f} / 1,000,000 = {found.store:.3f} busy cores",
        ]
    if store in REDIS:
        lines.append(
            f"primaries    the larger of {found.store:.3f} / {mix.redis_load:g} and {room:,.1f} / {mix.redis_gib:g}, "
            f"rounded up: {found.primaries:,}"
        )
    return "\n".join(lines) + "\n"


def _weights(figures: Figures) -> str:
    rows = [
        [
            NAMES[store],
            f"{size:,}",
            f"{one.anonymous:,.0f}",
            f"{one.session:,.0f}",
            f"{one.user:,.0f}",
            f"{one.indexes:,.0f}" if one.indexes else "",
        ]
        for store, by_size in figures.weights.items()
        for size, one in by_size.items()
    ]
    head = ["store", "data as JSON", "a session of nobody", "of a user", "a user", "of both, in indexes"]
    return table(head, rows)


def _budget(figures: Figures) -> list[str]:
    by_size = figures.weights.get("redis")
    if not by_size:
        return []
    rows = []
    for size, one in by_size.items():
        most, found = budget(one), (one.session + one.user, one.lean)
        told = [f"{bytes_:,.0f}, {'met' if bytes_ <= most else '**not met**'}" for bytes_ in found]
        rows.append([f"{size:,}", f"{one.plain:,.0f}", f"{most:,.0f}", *told])
    head = ["data as JSON", "plain string", "budget", "as it comes", "without the client"]
    return [_BUDGET, table(head, rows, left=0)]


def _costs(figures: Figures, flight: int) -> str:
    names = list(next(iter(figures.costs.values()))[flight])
    head = ["store", "of", *names]
    rows = []
    for store, by_flight in figures.costs.items():
        parts = ["app"] if store == "sqlite" else ["app", "store"]
        for part in parts:
            cells = [f"{getattr(by_flight[flight][name], part):,.0f}" for name in names]
            rows.append([NAMES[store], {"app": "application", "store": "store"}[part], *cells])
    title = "One request at a time:" if flight == 1 else f"{flight} in flight:"
    return f"{title}\n\n{table(head, rows, left=2)}"


def _near(figures: Figures, balancing: str) -> str:
    by_processes = figures.near.rates[balancing]
    entries = list(next(iter(by_processes.values())))
    rows = [
        [f"{processes}", *(f"{by_entries[size]:.0%}" for size in entries)]
        for processes, by_entries in by_processes.items()
    ]
    return table([f"processes, {balancing}", *(f"{size:,} entries" for size in entries)], rows)


def _after_near(figures: Figures, mix: Mix) -> str:
    store = "cluster" if "cluster" in figures.weights else next(iter(figures.weights))
    users, processes, entries = USERS[1], 16, 1_000
    times = users / figures.near.crowd.users
    rates = {balancing: by_processes[processes][entries] for balancing, by_processes in figures.near.rates.items()}

    def cores(near: float) -> float:
        return needs_of(figures, store, users, replace(mix, near=near)).store

    return _AFTER_NEAR.format(
        life=LIFE,
        name=NAMES[store],
        users=users,
        times=times,
        processes=processes,
        entries=round(entries * times),
        without=cores(0),
        **rates,
        **{f"{balancing}_cores": cores(rate) for balancing, rate in rates.items()},
    )
