"""A login by a JWT that is no ticket: the token of FastAPI's tutorial and its many relatives."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from ..errors import ConfigurationError
from .source import LONGEST, Old, Source, Who

_BEARER = b"bearer "


class JWTLogin(Source):
    """`key` (a list: any of several) verifies, by one of `algorithms` alone. A token needs `exp`, and a user.

    * `header`: "authorization", as `Bearer`; another header's whole value; or `cookie`, and then no header.
    * `issuer`, `audience`: asked of each token if they are set. One that has an `aud` is refused if they are not.
    * `user`: a claim's name, or a callable on the claims: None refuses the token, such as one to refresh others.
    * `claims`: names of claims that become fields of the session.
    * `lifetime`: what the old application added to the time of the login to get `exp`. Without `iat` in the token,
      only that says when it was issued, which `revoke_user` goes by.

    Raises `ConfigurationError` for no `algorithms`, or "none" among them.
    """

    kind = "jwt"

    def __init__(
        self,
        key: Any,
        algorithms: Collection[str],
        *,
        until: datetime,
        user: Who = "sub",
        header: str | None = "authorization",
        cookie: str | None = None,
        issuer: str | None = None,
        audience: str | Collection[str] | None = None,
        claims: Collection[str] = (),
        lifetime: timedelta | None = None,
        path: str | None = None,
        domain: str | None = None,
        paths: Collection[str] = (),
    ) -> None:
        super().__init__(until=until, user=user, cookie=cookie, path=path, domain=domain, paths=paths)
        if isinstance(algorithms, str) or not algorithms or {name.lower() for name in algorithms} & {"none"}:
            raise ConfigurationError('JWTLogin(algorithms=...): a list of those that you used, as in ["HS256"]')
        if isinstance(claims, str):
            raise ConfigurationError("JWTLogin(claims=...): a collection, not a single str")
        self._keys = list(key) if isinstance(key, (list, tuple)) else [key]
        self._algorithms = list(algorithms)
        self._issuer, self._claims, self._lifetime = issuer, tuple(claims), lifetime
        self._audience = audience if audience is None or isinstance(audience, str) else list(audience)
        self._header = None if cookie else (header or "").lower().encode("latin-1")
        self.ambient: bool = cookie is not None
        if self._header == b"":
            raise ConfigurationError("JWTLogin: a header or a cookie")

    def shown(self, headers: Mapping[bytes, bytes], path: str) -> list[str]:
        """The token in the header, or in the cookie."""
        if self._header is None:
            return super().shown(headers, path)
        value = headers.get(self._header)
        if value is None or (self.paths and path not in self.paths) or len(value) > LONGEST:
            return []
        if self._header == b"authorization":
            value = value[len(_BEARER) :] if value[: len(_BEARER)].lower() == _BEARER else b""
        text = value.strip().decode("latin-1")
        return [text] if text.count(".") == 2 else []

    def find(self, text: str, now: float) -> Old | None:
        """What the token says, if it is good at `now`."""
        from jwt.utils import base64url_decode

        claims = self._verified(text)
        if claims is None:
            return None
        expires_at, issued_at = float(claims["exp"]), claims.get("iat")
        if claims.get("nbf") is not None and float(claims["nbf"]) > now:
            return None
        if issued_at is None and self._lifetime is not None:
            issued_at = expires_at - self._lifetime.total_seconds()
        shown_at, user_id = claims.get("auth_time"), self.who(claims)
        if user_id is None:
            return None
        signed, _, signature = text.rpartition(".")
        return Old(
            identity=b"jwt\0" + signed.encode("ascii"),
            proof=base64url_decode(signature.encode("ascii")),
            data={name: claims[name] for name in self._claims if name in claims},
            user_id=user_id,
            issued_at=None if issued_at is None else float(issued_at),
            authenticated_at=None if shown_at is None else min(float(shown_at), now),
            expires_at=expires_at,
        )

    def _verified(self, text: str) -> dict[str, Any] | None:
        import jwt

        # Time is judged by the manager's clock, not by PyJWT's.
        options: Any = dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf", "verify_sub"), False)
        options["require"] = ["exp"]
        for key in self._keys:
            try:
                return jwt.decode(
                    text,
                    key,
                    algorithms=self._algorithms,
                    issuer=self._issuer,
                    audience=self._audience,
                    options=options,
                )
            except (jwt.PyJWTError, TypeError, ValueError):  # this key does not fit: another may
                continue
        return None
