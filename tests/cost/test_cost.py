"""No change makes a request dearer unseen. What is counted is instructions, so a busy machine fails nothing.

Not in it: the kernel and waiting, which are for `make bench`; and Redis, where the event loop turns more often on a
busy machine (0.62 was measured for a read): `python -m tests.cost` counts it, without a limit.
"""

from __future__ import annotations

import pytest

from tests.servers import needed

from .counting import Counts, instructions

LIMITS = {
    # A read that needs no I/O: the integration, the cookie, the token's signature, the record. 0.236 measured.
    "memory read": 0.248,
    # As memory, and a look at whether anybody has written to the file. 0.262 measured.
    "SQLite read": 0.275,
    # As memory, whatever the store is: it is not asked. 0.234 measured.
    "near read": 0.246,
    # A transaction on the store's thread. 2.51 measured.
    "SQLite write": 2.65,
}
"""What a request may cost above the bare page, in units of what PyJWT takes to check an HS256 token. About 5 % above
what is measured: whoever makes a request cheaper lowers its limit, and whoever raises one says why in the commit."""


@pytest.fixture(scope="module")
def counts() -> Counts:
    """All are counted in one go."""
    return instructions(needed("valgrind"), "redis://none.invalid", [*LIMITS])


@pytest.mark.valgrind
@pytest.mark.parametrize("name", LIMITS)
def test_a_request_costs_no_more_than_it_did(counts: Counts, name: str) -> None:
    """Nobody slows every request of every application down without seeing it."""
    assert counts.ratio(name) <= LIMITS[name], (
        f"{name}: {counts.net(name):,.0f} instructions above the bare page. To see where they are: "
        f'`python -m tests.cost --python "{name}"`, or --c; with PYTHONPATH=elsewhere/src for another working copy'
    )
