"""Row 16: a link that works once, whoever looks at it before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

from ..contenders.application import FILES
from .experiment import Chart, Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory
    from ..site import Site
    from ..tab import Tab

RACING = 50

PREFETCH = """link =>
document.head.append(Object.assign(document.createElement("link"), { rel: "prefetch", href: link }))"""

GOT = f"got the file, of {RACING} at once"
LATER = "got it once more a moment later"
SCANNED = "the owner, after a link scanner"
PREFETCHED = "the owner, after the browser prefetched it"
RESUMED = "a download manager that resumes"


def measure(laboratory: Laboratory) -> Measured:
    """Race for one link; then let a scanner, a prefetching browser and a resuming download manager have others."""

    def one(name: str) -> dict[str, Value]:
        with laboratory.site(name, workers=2) as site, laboratory.tab(site) as tab:
            return _raced(site) | {
                SCANNED: _after_a_scanner(site),
                PREFETCHED: _after_a_prefetch(tab),
                RESUMED: _resumed(site),
            }

    return laboratory.each(one)


def _raced(site: Site) -> dict[str, Value]:
    """All clients have the same login, and ask two processes."""
    owner = site.client()
    owner.log_in()
    link = owner.link("report", 60)
    clients = [site.client(site.url_of(number % 2)) for number in range(RACING)]
    for client in clients:
        client.copy(owner)
        client.me()  # connected: what is raced is the ticket
    start = Barrier(RACING)

    def fetch(number: int) -> bool:
        start.wait()
        answer = clients[number].get(link)
        return answer.content == FILES["report"].read_bytes()

    with ThreadPoolExecutor(RACING) as pool:
        got = sum(pool.map(fetch, range(RACING)))
    return {GOT: got, LATER: owner.get(link).content == FILES["report"].read_bytes()}


def _after_a_scanner(site: Site) -> bool:
    """As mail filters do: HEAD, and GET without the user's cookies."""
    owner = site.client()
    owner.log_in()
    link = owner.link("report", 60)
    with site.stranger() as scanner:
        scanner.head(link)
        scanner.get(link)
    return owner.get(link).content == FILES["report"].read_bytes()


def _after_a_prefetch(tab: Tab) -> bool:
    """A real Chromium, told by the page that the link may be needed soon."""
    tab.log_in()
    link = tab.ask("/ticket/report", {"seconds": 60})["link"]
    with tab.page.expect_response(lambda answer: "/files" in answer.url):
        tab.frame.evaluate(PREFETCH, link)
    text: str = tab.frame.evaluate("async link => (await fetch(link, { cache: 'no-store' })).text()", link)
    return text == FILES["report"].read_text()


def _resumed(site: Site) -> bool:
    """The connection breaks after the first half."""
    owner = site.client()
    owner.log_in()
    link, whole = owner.link("report", 60), FILES["report"].read_bytes()
    half = len(whole) // 2
    with owner.stream("GET", link) as answer:
        first = next(answer.iter_bytes(half))
    rest = owner.get(link, headers={"Range": f"bytes={half}-"})
    return first + rest.content == whole


def judge(measured: Measured) -> Verdict:
    """Single use is one of all, and it is the owner who has it."""

    def once(name: str) -> bool:
        values = measured[name]
        return values[GOT] == 1 and not values[LATER] and all(values[what] for what in (SCANNED, PREFETCHED, RESUMED))

    got = ", ".join(f"{name} {values[GOT]}" for name, values in measured.items())
    best = [name for name in measured if once(name)]
    whose = ", ".join(best) or "none of those that give it once"
    return Verdict(
        "session" in best,
        f"Of {RACING} clients that asked two processes at once, this many got the file: {got}. A link scanner, a "
        f"prefetch and a broken connection cost its owner nothing with {whose}. "
        "A signature alone cannot count: somebody has to remember that it was used.",
        best,
    )


def charts(measured: Measured) -> list[Chart]:
    """How many got it."""
    return [
        Chart(
            "bars",
            f"Got the file, of {RACING} at once",
            "clients",
            {name: [(0, float(values[GOT] or 0))] for name, values in measured.items()},
        )
    ]


ONCE = Experiment(
    name="once",
    part=Part.USE,
    claim="Such a link works once, and it is the owner's.",
    done=f"{RACING} clients race for one link at two processes. Others are looked at first by a link scanner and by a "
    "real Chromium that prefetches, or break off and are resumed.",
    measure=measure,
    judge=judge,
    charts=charts,
    needs=("chromium",),
)
