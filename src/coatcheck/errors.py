"""Every error of Coatcheck, in one tree. A handler that lets one through is answered with the status in brackets.

    CoatcheckError
    ├── ConfigurationError         a setting is missing or contradicts itself; fix it and start again
    ├── StoreUnavailable           the store did not answer; nothing was lost, try again      (503)
    │   └── SessionMoved           it is in another store, which this process does not know   (503)
    ├── SessionEnded               a write came after the session's end                       (.reason)
    ├── SessionDataError           a value that cannot be stored                              (.path)
    ├── CSRFError                  yours to raise, where a handler checks by itself           (403)
    ├── ReauthenticationRequired   the user has to sign in (again)                            (401)
    └── TicketError                                                                           (.jti)
        ├── TicketInvalid          not a ticket of ours, or not for this purpose or session   (403)
        ├── TicketExpired          its time is over                                           (410)
        ├── TicketSpent            it was used before                                         (410, .used_at)
        └── TicketRevoked          its session has ended                                      (410, .reason)

Absence is a value; only faults and refusals raise. An error carries its evidence as attributes and its
remedy in its text. None carries a token, a secret or a cookie's value.
"""

from __future__ import annotations

from datetime import datetime


class CoatcheckError(Exception):
    """The root: catching it catches everything that this package raises on purpose."""


class ConfigurationError(CoatcheckError):
    """A setting is missing, unsafe or contradicts another; the text names the remedy."""


class StoreUnavailable(CoatcheckError):
    """The store could not be reached or did not answer in time. Nobody is logged out by it.

    `retry_after` is the number of seconds to suggest to the client.
    """

    def __init__(self, message: str, *, retry_after: int = 2) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SessionMoved(StoreUnavailable):
    """A session is in another store, or on its way there, and this store does not serve it any more.

    Nobody is signed out by it. `handle` names the session.
    """

    def __init__(self, handle: str) -> None:
        super().__init__(
            f"the session {handle} was moved to another store, and this process knows only the old one. Give it both "
            'until the move is over: store="OLD -> NEW"'
        )
        self.handle = handle


class SessionEnded(CoatcheckError):
    """A write came after the session had ended. `reason` says why it ended, or is "unknown".

    The write was not made. Let the response go out, without a cookie, and report it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the session had ended ({reason}) before this write; nothing was written")
        self.reason = reason


class SessionDataError(CoatcheckError):
    """A value cannot be stored. `path` names the place, as in `cart[2].owner`; "" is the session as a whole."""

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class CSRFError(CoatcheckError):
    """The request was made by another site, or its form lacked the session's token."""


class ReauthenticationRequired(CoatcheckError):
    """The user has to sign in, or sign in again: nobody is, it was too long ago, or it was revoked meanwhile."""


class TicketError(CoatcheckError):
    """A ticket was refused. `jti` is its public identifier, or None where it could not be trusted."""

    def __init__(self, message: str, *, jti: str | None = None) -> None:
        super().__init__(message)
        self.jti = jti


class TicketInvalid(TicketError):
    """Not a ticket of ours, tampered with, for another purpose, or asked for by another session."""


class TicketExpired(TicketError):
    """The ticket's lifetime is over; ask for a new one. `expired_at` is aware UTC, or None."""

    def __init__(self, message: str, *, jti: str | None = None, expired_at: datetime | None = None) -> None:
        super().__init__(message, jti=jti)
        self.expired_at = expired_at


class TicketSpent(TicketError):
    """The ticket was used before. `used_at` (aware UTC) says when."""

    def __init__(self, message: str, *, jti: str | None = None, used_at: datetime | None = None) -> None:
        super().__init__(message, jti=jti)
        self.used_at = used_at


class TicketRevoked(TicketError):
    """The session that asked for the ticket has ended, and the ticket with it. `reason` says why."""

    def __init__(self, message: str, *, jti: str | None = None, reason: str = "unknown") -> None:
        super().__init__(message, jti=jti)
        self.reason = reason
