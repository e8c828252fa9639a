"""Server-side web sessions for Python, and single-use JWT tickets beside them."""

# As in typing, which takes longer to load than all that is here.
TYPE_CHECKING = False

__all__ = [
    "AsyncMovingStore",
    "AsyncSessionManager",
    "AuditEntry",
    "AuditTrail",
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

if TYPE_CHECKING:
    from .audit import AuditTrail as AuditTrail
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
    from .trail import AuditEntry as AuditEntry
else:
    # Each name is loaded when it is first asked for: an application waits at its start for what it uses. All that a
    # request needs comes with the manager, so none waits for an import.
    _HOMES = {
        "AsyncMovingStore": "moving_store",
        "AsyncSessionManager": "manager",
        "AuditEntry": "trail",
        "AuditTrail": "audit",
        "Client": "info",
        "Clock": "clock",
        "Commit": "engine",
        "CookieSettings": "cookies",
        "Event": "events",
        "MovingStore": "moving_store",
        "Policy": "policy",
        "Session": "session",
        "SessionInfo": "info",
        "SessionManager": "manager",
        "Ticket": "tickets",
        "generate_secret": "keyring",
    }

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _HOMES:
            value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        elif name in {"errors", "events", "policy"}:
            value = import_module(f".{name}", __name__)  # `import coatcheck` alone has always led to them
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
