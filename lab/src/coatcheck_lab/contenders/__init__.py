"""The same small application with each way to stay logged in; what differs is one file for each."""

from __future__ import annotations

from typing import NamedTuple


class Contender(NamedTuple):
    """A way to stay logged in."""

    name: str
    title: str
    made_by: str
    """`module:class` of its `Mechanism`."""
    storage: str = "cookie"
    """Where a browser keeps it: "cookie" or "local"."""


_HERE = "coatcheck_lab.contenders"

CONTENDERS = {
    "jwt-cookie": Contender("jwt-cookie", "JWT in a cookie", f"{_HERE}.stateless:StatelessJWT"),
    "jwt-local": Contender("jwt-local", "JWT in local storage", f"{_HERE}.local:LocalJWT", "local"),
    "jwt-stateful": Contender("jwt-stateful", "stateful JWT", f"{_HERE}.stateful:StatefulJWT"),
    "session": Contender("session", "session cookie", f"{_HERE}.session:SessionCookie"),
}
"""Those that every experiment compares, by name."""

STATELESS = ("jwt-cookie", "jwt-local")

DENYLIST = Contender("jwt-denylist", "JWT with a denylist", f"{_HERE}.denylist:DenylistJWT")
"""What a JWT becomes that can be revoked: measured where revocation is."""

UNCHECKED = Contender("session-unchecked", "session cookie, origin not checked", f"{_HERE}.session:UncheckedSession")
"""What a cookie alone does against forged requests: measured where they are."""
