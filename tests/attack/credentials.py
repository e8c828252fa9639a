"""Targets that read a credential: the token in both formats, the Cookie header, handles, and tickets."""

from __future__ import annotations

from typing import Any

import jwt
from hypothesis import strategies as st

from coatcheck import jwt_token, token
from coatcheck.cookies import MAX_HEADER, Cookie, CookieSettings
from coatcheck.errors import TicketError, TicketSpent
from coatcheck.keyring import Keyring
from coatcheck.strict_jwt import parse
from coatcheck.ticket_jwt import MAX_LENGTH, TYPE
from tests.attack.mutations import EDITS, as_octets, mutate, octets, texts
from tests.attack.target import Target
from tests.desk import Desk
from tests.forge import contents, data_of, part, signed

NEW, OLD = "the newest key " + "n3w" * 9, "the key before " + "o1d" * 9
RING = Keyring([NEW, OLD], namespace="fuzz")
FORMATS: dict[str, token.Format] = {"signed": token, "jwt": jwt_token}

PAIRS = [(token.new_handle(user), token.new_secret(step)) for user, step in (("ada", 0), (None, 7), ("bob", 65_535))]
OURS = {
    name: [form.sign(Keyring(key, namespace="fuzz"), *pair) for pair in PAIRS for key in (NEW, OLD)]
    for name, form in FORMATS.items()
}
FOREIGN = [form.sign(Keyring(NEW, namespace="other"), *PAIRS[0]) for form in FORMATS.values()]
EVERY_TOKEN = [*OURS["signed"], *OURS["jwt"], *FOREIGN]


def check_token(text: str) -> str:
    """Verified exactly if it is, to the letter, one that we signed."""
    answers = {name: form.verify(RING, text) for name, form in FORMATS.items()}
    for name, shown in answers.items():
        assert (shown is not None) is (text in OURS[name]), f"{name}: {text!r}"
        if shown is not None:
            assert (shown.handle, shown.hash) in {(handle, token.hash_secret(secret)) for handle, secret in PAIRS}
    return "ours" if any(answers.values()) else "refused"


def check_handle(text: str) -> str:
    """What a page is sent as a handle names a session or nothing, and reaches the store only in a handle's form."""
    desk = HANDLES
    asked: list[str] = []
    load = desk.manager.store.load

    def noted(handle: str) -> Any:
        asked.append(handle)
        return load(handle)

    desk.manager.store.load = noted
    try:
        found = desk.manager.info(text)
        revoked = desk.manager.revoke(text, user_id="nobody")
        desk.manager.sessions("ada", after=text)
    finally:
        del desk.manager.store.load
    assert not revoked
    assert (found is not None) is (text == HANDLE)
    assert all(len(handle) == token.HANDLE_LENGTH and handle.isascii() for handle in asked)
    return "found" if found else "asked" if asked else "refused"


# -- the Cookie header -----------------------------------------------------------------------------------

VALID = set(OURS["signed"][:3])
NAME = "__Host-fuzz"


class _Counted:
    """Whether a value is a valid token, and how often that was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, text: str) -> bool:
        self.asked += 1
        return text in VALID


def cookie_oracle(header: bytes) -> str | None:
    """The plain reading of the rules: split at semicolons, compare names whole, and of several take the one valid."""
    if len(header) > MAX_HEADER:
        return None
    values = []
    for pair in header.split(b";"):
        name, equals, value = pair.lstrip(b" \t").partition(b"=")
        if equals and name == NAME.encode():
            values.append(value.strip(b' \t"').decode("latin-1"))
    different = set(values)
    if len(different) <= 1:
        return values[0] if values else None
    valid = [value for value in different if value in VALID]
    return valid[0] if len(valid) == 1 and len(different) <= 8 else None


_values = st.one_of(st.sampled_from(sorted(VALID)), texts(sorted(VALID), 2))
_names = st.sampled_from(
    [NAME, NAME, NAME, f'"{NAME}"', NAME.lower(), f"x{NAME}", f"{NAME}x", "fuzz-insecure", "a", ""]
)
_pairs = st.builds("{}{}{}{}".format, st.sampled_from(["", " ", "\t", "  ", "="]), _names, st.just("="), _values)
_headers = st.one_of(
    st.builds(str.join, st.sampled_from(["; ", ";", ";;", ", ", " "]), st.lists(_pairs, max_size=12)).map(as_octets),
    st.builds(lambda header, times: header * times, octets([f"{NAME}={OURS['signed'][0]}; a=b"]), st.integers(1, 2000)),
)


def check_cookie(header: bytes) -> str:
    """The answer is the oracle's; a header asks for eight signatures at most, and what is too long for none."""
    counted = _Counted()
    found = Cookie(CookieSettings(), "fuzz", counted).read(header)
    assert found == cookie_oracle(header), header[:300]
    assert counted.asked <= 8
    if found is not None:
        assert found.encode("latin-1") in header
    return "nothing" if found is None else "valid" if found in VALID else "another text"


# -- tickets ---------------------------------------------------------------------------------------------

DESK = Desk(namespace="fuzz-tickets")
SESSION = DESK.session(user="7")
CLAIMS: list[dict[str, Any]] = [{"file": "a.pdf"}, {"n": [1, {"deep": None}], "text": "\xe9 \U0001f600"}, {}]
TICKETS = [DESK.issue(SESSION, claims=claims) for claims in CLAIMS]
TICKETS += [DESK.issue(SESSION, purpose="upload"), DESK.issue(SESSION, bearer=True)]
HEADER_TEXT = data_of(TICKETS[0].split(".")[0]).decode()
CLAIM_TEXTS = [data_of(ticket.split(".")[1]).decode() for ticket in TICKETS]
HANDLES = Desk(namespace="fuzz-handles")
HANDLE = str(HANDLES.session(user="ada").handle)


def pyjwt_claims(text: str) -> dict[str, Any]:
    """What the library alone, told to check the signature, says of a ticket. Raises `PyJWTError`."""
    options = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_iss": False}
    claims: dict[str, Any] = jwt.decode(text, DESK.key, algorithms=["HS256"], options=options)  # type: ignore[arg-type]
    return claims


def check_ticket_text(text: str) -> str:
    """Without our key: only the tickets that we issued are accepted, to the letter."""
    parsed = parse(text, TYPE, "HS256", MAX_LENGTH)
    try:
        ticket = DESK.peek(text)
    except TicketError:
        assert text not in (*TICKETS[:3], TICKETS[4])
        return "refused" if parsed is None else "refused by signature or claims"
    assert parsed is not None
    assert text in TICKETS
    assert ticket.claims == contents(text)[1]["data"] == pyjwt_claims(text)["data"]
    return "accepted"


def check_signed_ticket(parts: tuple[bytes, bytes]) -> str:
    """Even under our own key: what we accept PyJWT accepts and reads alike, and it is good once."""
    text = signed(part(parts[0]), part(parts[1]), DESK.key)
    try:
        ticket = DESK.peek(text)
    except TicketError:
        try:
            pyjwt_claims(text)
        except (jwt.PyJWTError, RecursionError, ValueError, TypeError):
            return "refused by both"
        return "refused, though PyJWT takes it"
    theirs = pyjwt_claims(text)
    assert (theirs["jti"], theirs["sid"], theirs["aud"]) == (ticket.jti, ticket.session_handle, "download")
    assert repr(theirs["data"]) == repr(ticket.claims)
    DESK.redeem(text)
    try:
        DESK.redeem(text)
    except TicketSpent:
        # Put back, so that the next input with this name starts anew.
        DESK.manager.store._tickets.clear()
        return "accepted once"
    raise AssertionError(f"accepted twice: {text}")


def _parts(texts_of: list[str]) -> st.SearchStrategy[bytes]:
    pick = st.sampled_from(texts_of)
    return st.builds(lambda base, how: as_octets(mutate(base, how, texts_of)), pick, st.lists(EDITS, max_size=3))


def respelt(text: str, at: int) -> str:
    """The same bytes, perhaps, in another spelling: one last character of a part is its neighbour."""
    pieces = text.split(".")
    piece = pieces[at % len(pieces)]
    pieces[at % len(pieces)] = piece[:-1] + chr(ord(piece[-1]) + 1)
    return ".".join(pieces)


_columns = list(zip(*(ticket.split(".") for ticket in TICKETS), strict=True))
_tickets = st.one_of(
    texts([*TICKETS, *OURS["jwt"]]),
    # Parts of several tickets, and claims of the attacker's under a signature of ours.
    st.builds(lambda *pieces: ".".join(pieces), *map(st.sampled_from, _columns)),
    st.builds(
        lambda base, name, value: f"{base[0]}.{part({**contents(TICKETS[0])[1], name: value})}.{base[2]}",
        st.sampled_from(TICKETS).map(lambda ticket: ticket.split(".")),
        st.sampled_from(["sub", "sid", "exp", "data", "jti", "bearer"]),
        st.sampled_from(["8", HANDLE, 1_000_900, {"file": "b.pdf"}, "A" * 22, True]),
    ),
    st.builds(respelt, st.sampled_from(TICKETS), st.integers(0, 2)),
)
_twice = st.builds(
    lambda text, name, value: f'{text[:-1]},"{name}":{value}}}'.encode(),
    st.sampled_from(CLAIM_TEXTS[:3]),
    st.sampled_from(["aud", "sid", "sub", "exp", "data", "\\u0061ud"]),
    st.sampled_from(['"download"', '"7"', "1000060", "{}", f'"{SESSION.handle}"']),
)
_claims = st.dictionaries(
    st.sampled_from(["iss", "aud", "jti", "iat", "exp", "sid", "sub", "data", "bearer", "x"]),
    st.sampled_from([None, True, 0, 1, -1, 1e9, "", "7", "download", [], {}, {"a": 1}, 1_000_060, 2**70]),
    max_size=2,
).map(lambda changes: part({**contents(TICKETS[0])[1], **changes}))
_signed = st.tuples(
    st.one_of(st.just(HEADER_TEXT.encode()), _parts([HEADER_TEXT])),
    st.one_of(_claims.map(data_of), _parts(CLAIM_TEXTS), _twice),
)

TARGETS = [
    Target("token", "verified exactly if we signed it", texts(EVERY_TOKEN), check_token),
    Target("handle", "finds its session or nothing", texts([HANDLE, OURS["signed"][0]]), check_handle),
    Target("cookie", "reads as the plain rules say, eight signatures at most", _headers, check_cookie),
    Target("ticket", "accepted exactly if we issued it", _tickets, check_ticket_text),
    Target("signed ticket", "PyJWT accepts what we accept; once", _signed, check_signed_ticket),
]
