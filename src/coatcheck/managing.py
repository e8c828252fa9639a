"""What both managers have in common: settings, keys, cookie, events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from . import jwt_token, token
from .audit import AuditTrail
from .clock import Clock, system_clock
from .connect import SecretSetting, check_namespace, is_own, open_keyring, open_store
from .cookies import Cookie, CookieSettings
from .directory import Directory
from .engine import Engine, UserField
from .errors import ConfigurationError
from .events import Events, Subscriber
from .hearing import Hearing
from .keyring import Keyring
from .policy import Policy
from .store import AsyncStore, Store
from .tickets import TicketEngine
from .trail import Trails

if TYPE_CHECKING:
    from .strength import Weakness

S = TypeVar("S", Store, AsyncStore)
_FORMATS: dict[str, token.Format] = {"signed": token, "jwt": jwt_token}


class Managing(Generic[S]):
    """What both have in common: settings, keys, cookie, events. Constructing does no I/O."""

    _opener: str

    def __init__(
        self,
        store: str | S | None = None,
        *,
        secret: SecretSetting = None,
        policy: Policy | None = None,
        cookie: CookieSettings | None = None,
        namespace: str = "coatcheck",
        user_field: UserField = None,
        token_format: Literal["signed", "jwt"] = "signed",
        near_cache: bool = False,
        record_client: bool = True,
        audit: timedelta | AuditTrail | None = None,
        clock: Clock = system_clock,
    ) -> None:
        """Everything has a good default.

        `store` is a URL, a store object, or None for the environment's `COATCHECK_STORE`. `secret` is one
        key or several, the newest first, of 32 bytes or more each; None: the environment's, else an embedded
        store's own. `policy` says how long sessions live, `cookie` what their cookie looks like. `namespace`
        keeps applications that share a store apart, and names the cookie. `user_field` names the field
        (or is a callable on the session) that holds the user's id in code that never calls `login`.
        `token_format`: "signed", 86 characters; or "jwt", the same reference in a JWT of about 190, for gateways
        that insist on one. `near_cache`: a request that only reads may be answered by what this process read within
        the last second. `record_client`: whether address and browser are kept for lists of devices. `audit`: for how
        long the store keeps who signed in and what ended, or an `AuditTrail` in another store; None keeps nothing.
        `clock` returns seconds since the epoch, for tests.

        Raises `ConfigurationError` for settings that contradict themselves.
        """
        if token_format not in _FORMATS:
            raise ConfigurationError(f'token_format={token_format!r}: "signed" or "jwt"')
        if policy is not None and not isinstance(policy, Policy):
            raise ConfigurationError(f"policy: a Policy(...), not a {type(policy).__name__}")
        if cookie is not None and not isinstance(cookie, CookieSettings):
            raise ConfigurationError(f"cookie: CookieSettings(...), not a {type(cookie).__name__}")
        if not callable(clock):
            raise ConfigurationError("clock: a callable that returns seconds since the epoch")
        self.namespace: str = check_namespace(namespace)
        """What keeps its sessions and cookie apart from other applications'."""
        self.policy: Policy = policy or Policy()
        """How long sessions live."""
        self.store: S = open_store(store, namespace, self._opener)
        """Where the sessions live."""
        if not isinstance(secret, (str, bytes, Iterable, type(None))):
            raise ConfigurationError("secret: text, bytes, or a list of them. Make one with `coatcheck keygen`.")
        self._secret = secret if secret is None or isinstance(secret, (str, bytes)) else list(secret)
        self._keys: Keyring | None = None
        self._unmet = True
        if self._secret is not None:
            self._keyring()
        self._events = Events()
        self.engine: Engine = Engine(
            keyring=self._keyring,
            policy=self.policy,
            clock=clock,
            events=self._events,
            user_field=user_field,
            record_client=record_client,
            tokens=_FORMATS[token_format],
            beside=self.store,
        )
        """Every decision, without I/O: for integrations."""
        self._directory = Directory(self.engine)
        self.hearing: Hearing = Hearing(self.store, near_cache)
        """What it hears of other processes: the near cache, and watched sessions."""
        self.ticket_engine: TicketEngine = TicketEngine(self.engine, self._keyring, namespace)
        """The plans behind `tickets`, for `carry_out`."""
        self.cookie: Cookie = Cookie(cookie or CookieSettings(), namespace, self.engine.verify)
        """Reads the Cookie header, and writes the response's headers."""
        self.audit: AuditTrail | None = (
            audit if isinstance(audit, AuditTrail) or audit is None else self._beside(store, audit, clock)
        )
        """The audit trail; None where none is kept."""
        if self.audit is not None:
            self.subscribe(self.audit)
        self._begin()

    def _beside(self, store: str | S | None, retention: timedelta, clock: Clock) -> AuditTrail:
        """An audit trail in the manager's own store."""
        if not isinstance(retention, timedelta):
            raise ConfigurationError(f"audit={retention!r}: a timedelta, as in timedelta(days=90), or an AuditTrail")
        if not isinstance(store, str | None) and not isinstance(store, Trails):
            raise ConfigurationError(
                f"audit={retention!r}: {type(store).__name__} cannot keep it. Pass audit=AuditTrail(URL, retention=...)"
            )
        return AuditTrail(store, namespace=self.namespace, retention=retention, clock=clock)

    def _trail(self) -> AuditTrail:
        if self.audit is None:
            raise ConfigurationError("there is no audit trail: pass audit=timedelta(days=90), for example")
        return self.audit

    def _begin(self) -> None:
        """What differs."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.namespace} on {type(self.store).__name__}>"

    def _keyring(self) -> Keyring:
        if self._keys is None:
            self._keys = open_keyring(self._secret, self.store, self.namespace)
        return self._keys

    @property
    def secret_is_own(self) -> bool:
        """Whether an embedded store makes the secret, since neither the argument nor the environment has one."""
        return is_own(self._secret, self.store)

    def weak_secrets(self) -> list[tuple[int, Weakness]]:
        """As `Keyring.weaknesses`, for `coatcheck doctor`; none of an embedded store's own, which is random and is not
        made for this. Raises `ConfigurationError` where there is no secret."""
        return [] if self.secret_is_own else self._keyring().weaknesses()

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber(event)` for every event from now on; returns the function that stops it."""
        return self._events.subscribe(subscriber)
