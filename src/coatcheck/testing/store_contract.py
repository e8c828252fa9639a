"""The conformance kit for stores: subclass `StoreContract` and say how to open yours.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def open_store(self, tmp_path):
            return lambda mode: MyStore(tmp_path) if mode == "sync" else MyAsyncStore(tmp_path)

That runs every promise over the sync and the async store. A URL does as well, where a scheme names the store.
"""

from __future__ import annotations

import pytest

from .contract.crowds import Crowds
from .contract.data import Data
from .contract.departing import Departing
from .contract.ending import Ending
from .contract.gates import Gates
from .contract.lifetimes import Lifetimes
from .contract.listing import Listing
from .contract.logins import Logins
from .contract.merging import Merging
from .contract.races import Races
from .contract.rotating import Rotating
from .contract.ticketing import Ticketing
from .contract.updates import Updates
from .contract.user_races import UserRaces
from .kit import Dump, Kit, Mode, OpenStore, Steps


class StoreContract(
    Merging,
    Ending,
    Logins,
    Gates,
    Updates,
    Rotating,
    Lifetimes,
    Data,
    Listing,
    Ticketing,
    Departing,
    Races,
    UserRaces,
    Crowds,
):
    """Every promise that a store has a part in. Four fixtures say what it can do."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """The store's URL, or a function of "sync" or "async" that makes a store: each time over the same data,
        which is empty before each test. Yours takes its place: this one raises NotImplementedError."""
        raise NotImplementedError("define the fixture open_store in your class: see coatcheck.testing")

    @pytest.fixture
    def dump(self) -> Dump | None:
        """A function that returns all bytes that the store holds, as a thief of its disk would see them. None:
        there is no such thing, and only events and logs are searched for secrets."""
        return None

    @pytest.fixture
    def steps(self) -> Steps | None:
        """How the ordered races stop the store inside a call, if one is several round trips. None: they do not."""
        return None

    @pytest.fixture(params=["sync", "async"])
    def mode(self, request: pytest.FixtureRequest) -> Mode:
        """Both kinds. For a store that is only one of them, override it with that one as its parameter."""
        mode: Mode = request.param
        return mode

    @pytest.fixture
    def kit(self, mode: Mode, open_store: OpenStore, dump: Dump | None, steps: Steps | None) -> Kit:
        """What the scenarios are given."""
        return Kit(mode, open_store, dump, steps)
