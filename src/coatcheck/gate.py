"""What a store keeps of a user: since when earlier requests may not log in, and the latest patches.

The gate and the user's sessions change in one atomic step, so `revoke_user` misses nobody: a login either
was there to be ended, or meets the gate.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from .change import Change, apply
from .codec import Wire
from .policy import PATCH_MEMORY
from .record import Record

WRONG = 60.0
"""Seconds by which no two servers' clocks differ, corrected as they are to the store's."""


class Patch(NamedTuple):
    """Fields that `update_user` wrote: the patch's number `seq`, `at` what time (seconds since the epoch), and what it
    `set`, in wire form."""

    seq: int
    at: float
    set: dict[str, Wire]


class Gate(NamedTuple):
    """A user's gate. The default is that of a user never heard of. `seq` numbers the user's patches, and `patches` are
    those that some session may still lack, oldest first."""

    not_before: float = 0.0
    """A login whose request arrived before this is refused."""
    seq: int = 0
    patches: tuple[Patch, ...] = ()

    def bars(self, began: float) -> bool:
        """Whether a login that arrived at `began` is refused. Strictly less, so that a frozen clock works."""
        return began < self.not_before

    def closed(self, now: float) -> Gate:
        """The gate after `revoke_user` at `now`."""
        # An instant far ahead is a wrong clock's: it would bar this user until then, whoever revokes.
        known = self.not_before if self.not_before <= now + WRONG else now
        return self._replace(not_before=max(now, known))

    def recent(self, now: float) -> tuple[Patch, ...]:
        """The patches of the last minute: a login now may have read the data from before them."""
        return tuple(patch for patch in self.patches if now - patch.at < PATCH_MEMORY)

    def with_patch(self, fields: dict[str, Wire], now: float) -> Gate:
        """The gate after `update_user`. Its number also exceeds those of a gate that was lost."""
        seq = max(self.seq + 1, int(now * 1000))
        return self._replace(seq=seq, patches=(*self.recent(now), Patch(seq, now, fields)))

    def joined(self, other: Gate, now: float) -> Gate:
        """The gate with what another store keeps of the same user. A patch that both have has one number."""
        known = {patch.seq for patch in self.patches}
        both = (*self.recent(now), *(patch for patch in other.recent(now) if patch.seq not in known))
        patches = tuple(sorted(both, key=lambda patch: patch.seq))
        return Gate(max(self.not_before, other.not_before), max(self.seq, other.seq), patches)

    def admit(self, record: Record, now: float) -> Record:
        """A session that is being created, with the patches of the last minute over its own data."""
        for patch in self.recent(now):
            patched = apply(record, Change(set=patch.set, patch=patch.seq), now)
            if isinstance(patched, Record):
                record = patched
        return record


def dump_patches(gate: Gate) -> str:
    """The gate's patches as JSON."""
    return json.dumps(gate.patches, separators=(",", ":"), ensure_ascii=False)


def load_patches(text: str) -> tuple[Patch, ...]:
    """The patches that `dump_patches` wrote."""
    return tuple(map(Patch._make, json.loads(text)))
