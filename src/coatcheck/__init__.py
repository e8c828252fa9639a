"""Server-side web sessions for Python, and single-use JWT tickets beside them."""

from .clock import Clock as Clock
from .cookies import CookieSettings as CookieSettings
from .engine import Commit as Commit
from .events import Event as Event
from .info import Client as Client
from .info import SessionInfo as SessionInfo
from .keyring import generate_secret as generate_secret
from .manager import AsyncSessionManager as AsyncSessionManager
from .manager import SessionManager as SessionManager
from .moving_store import AsyncMovingStore as AsyncMovingStore
from .moving_store import MovingStore as MovingStore
from .policy import Policy as Policy
from .session import Session as Session
from .tickets import Ticket as Ticket

__all__ = [
    "AsyncMovingStore",
    "AsyncSessionManager",
    "Client",
    "Clock",
    "Commit",
    "CookieSettings",
    "Event",
    "MovingStore",
    "Policy",
    "Session",
    "SessionInfo",
    "SessionManager",
    "Ticket",
    "generate_secret",
]
