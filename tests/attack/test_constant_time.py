"""No comparison tells by its time how much of a secret was right: each is `compare_digest`, or is of nothing secret.

A new `==`, `in` or search of text in a module that handles secrets fails here until it is in the table with a reason.
"""

from __future__ import annotations

import inspect

import pytest
from jwt.algorithms import HMACAlgorithm

from coatcheck.stores.sqlite_rows import SCHEMA
from tests.attack.comparisons import SOURCE, comparisons, constant_time

DIGESTS = {
    "token": ["hmac.compare_digest(mac.hexdigest(signed)[:TAG_LENGTH], given)"],
    "csrf": ["compare_digest(_xor(data[:SECRET_BYTES], data[SECRET_BYTES:]), secret)"],
    "rotation": ["hmac.compare_digest(known.hash, shown.hash)"],
}
"""Where a credential is checked: a token's tag, a form's token, the hash of a session's secret. A ticket's and a
JWT's signature is PyJWT's to check."""

NOT_SECRET: dict[str, dict[str, list[str]]] = {
    "the client's own text against itself in another spelling": {
        "csrf": ["_b64(data) == token"],
        "strict_jwt": ["urlsafe_b64encode(data).rstrip(b'=') != part.encode()"],
    },
    "the operator's own look at a secret, which no client can start": {
        "strength": ["secret.startswith(secret[size:])", "word in _BETWEEN.sub('', text.lower())"],
    },
    "public parts of a token: its algorithm, its type, the names in it": {
        "strict_jwt": [
            "header.get('typ') in (typ, f'application/{typ}')",
            "header['alg'] in algorithms",
        ],
    },
    "claims of a ticket, whose signature was verified before, and which its holder can read": {
        "ticket_jwt": ["claims['iss'] == issuer"],
        "tickets": ["session.handle == read.ticket.session_handle", "ticket.purpose != purpose"],
    },
    "a request's public facts and our settings: methods, paths, origins, headers' and fields' names": {
        "csrf": [
            "_part_name(head) == field",
            "int(port) == _DEFAULT_PORTS.get(scheme)",
            "method in SAFE",
            "normal.partition(':')[0] in _PAGE_SCHEMES",
            "raw_path in self._exempt",
            "self._buffer.find(mark, self._looked)",
            "sent == own_origin",
            "sent in self._trusted",
            "sent.partition('://')[2] == own.partition('://')[2]",
        ],
        "cookies": [
            "name == self.name",
            "os.environ.get('COATCHECK_COOKIE_SECURE', '').strip().lower() in _OFF",
        ],
        "passage": [
            "error.note == self._note",
            "pair[0] not in safe",
            "pair[0].lower().endswith(_REPLACED)",
            "unquote_plus(name) == parameter",
        ],
        "paths": ["path in self._exact", "path.startswith(self._prefixes)"],
        "arrival": ["first.cookie in looked - {None}", "one.cookie == first.cookie"],
        "exchange": [
            "cookie.name_for(self.secure) == cookie.insecure_name",
            "csrf not in _MODES",
            "front.header in headers",
            "inner._settings[name] != value",
            "method not in SAFE",
            "name in self.headers",
            "self.path not in front.exempt",
            "source.cookie not in (None, line.partition('=')[0])",
        ],
        "connect": ["_ARROW in setting", "own != namespace", "scheme not in SCHEMES", "urls[0] == urls[1]"],
    },
    "two hashes that both come from the store or from this process, never from a client": {
        "change": ["change.step.from_hash == record.secrets[0].hash"],
        "engine": ["value.secrets[0].hash == change.step.to.hash"],
    },
    "instants: when a session ends": {
        "record": ["deadline == self.expires_at"],
        "stores.redis.values": ["deadline == value.expires_at"],
    },
    "step counters: public numbers": {
        "engine": ["shown.step != record.secrets[0].step"],
        "rotation": [
            "current.step == settled",
            "current.step == step",
            "secret.step == settled",
            "secret.step == step",
        ],
    },
    "handles, users and fields' names: public names, compared after the tag was verified": {
        "change": ["name not in late"],
        "moving": ["handle in found", "one.handle not in {record.handle, replaces}", "record.handle == after"],
        "stores.postgresql.moves": ["row[0] in found"],
        "directory": ["value.user_id != user_id_text(user_id)"],
        "engine": [
            "name in carry",
            "name in subject",
            "name not in own",
            "user != stored",
            "user != subject._field_user",
        ],
        "info": ["record.handle == current"],
        "legacy.claim": [
            "found._ended_reason == _REPLACED",
            "found._ended_reason in (None, _REPLACED)",
            "old.user_id in (None, signed_in)",
        ],
        "session": [
            "key == self._around.user_field",
            "key in ATTRIBUTES",
            "key in _USER_NAMES",
            "key in _warned",
            "key not in _SUSPECTS",
            "name not in kept",
            "self._around.user_field != key",
        ],
        "stores.memory": [
            "handle != keep",
            "old.handle not in {record.handle, replaces}",
            "entry.handle == handle",
            "entry.user_id == user_id",
            "record.handle == after",
            "record.handle in self._sessions",
            "user not in self._users",
        ],
        "stores.redis.plans": ["after != before", "after == before", "after in handles", "handles.index(after)"],
        "stores.postgresql.plans": ["after != before", "handle in ended"],
        "stores.redis.values": ["key.startswith(f'{self.start}{bucket_of(handle)}}}:')"],
    },
    "a nonce that this server made for one command, which no client sends": {
        "stores.memory": ["mark[0] == nonce"],
        "stores.memory_moves": ["mark[0] == nonce"],
        "stores.sqlite_moves": ["row[0] == nonce"],
        "stores.redis.moves": ["mark.nonce == nonce"],
        "stores.postgresql.moves": ["rows[0][0] == nonce"],
        "stores.sqlite_store": ["row[0] == nonce"],
        "stores.redis.plans": ["mark.nonce == nonce"],
        "stores.postgresql.plans": ["first == nonce"],
    },
    "processes, files, servers and their states": {
        "moving": ["gate != Gate()"],
        "milestones": [
            "(yield from _said(NEW)).get(_ID) != there.get(_TO)",
            "(yield from _said(NEW)).get(_STATE) == _BEGUN",
            "there.get(_ID) == to",
            "there.get(_STATE) != _BEGUN",
            "there.get(_STATE) == _BEGUN",
            "there.get(_TO) != to",
        ],
        "stores.sqlite_moves": ["reason == DEPARTING", "reason == GONE", "row[0] == GONE"],
        "stores.sqlite_store": ["beat != reader.beat"],
        "stores.postgresql.moves": ["reason == DEPARTING", "reason == GONE", "rows[0][0] == GONE"],
        "stores.sqlite_async": ["self._crew[0] != pid"],
        "stores.redis.blocking": ["talk.routes.owner(bucket) == node"],
    },
}
"""Reason -> module -> comparisons of values that are not constants."""

MODULES = [
    *("token", "jwt_token", "ticket_jwt", "tickets", "strict_jwt", "csrf", "html", "cookies", "keyring"),
    *("strength", "rotation"),
    *("change", "record", "loading", "engine", "session", "directory", "connect", "info", "integrations.gate"),
    *("exchange", "paths", "passage", "arrival", "legacy.claim", "legacy.signed"),
    *("stores.postgresql.plans", "stores.postgresql.blocking", "stores.postgresql.asynchronous"),
    *("stores.memory", "stores.sqlite_store", "stores.sqlite_async", "stores.sqlite_rows"),
    *("stores.redis.plans", "stores.redis.values"),
    *("moving", "milestones", "stores.memory_moves", "stores.sqlite_moves"),
    *("stores.postgresql.moves", "stores.redis.moves"),
    *("stores.redis.steps", "stores.redis.blocking", "stores.redis.asynchronous"),
]
"""What handles a secret, its hash, a token, a ticket, or the row that one opens."""


def unexplained(module: str, text: str) -> tuple[set[str], set[str]]:
    """Comparisons that the table lacks, and those that it has and the module no longer."""
    known = {one for rows in NOT_SECRET.values() for one in rows.get(module, ())}
    found = set(comparisons(text))
    return found - known, known - found


def _text(module: str) -> str:
    return (SOURCE / f"{module.replace('.', '/')}.py").read_text()


@pytest.mark.parametrize("module", MODULES)
def test_every_comparison_of_a_secret_takes_constant_time(module: str) -> None:
    """What is compared otherwise is no secret, for the reason that the table gives; no reason outlives its line."""
    assert unexplained(module, _text(module)) == (set(), set())
    assert constant_time(_text(module)) == DIGESTS.get(module, [])


def test_every_module_of_the_table_is_looked_at() -> None:
    """A row for a module that is not checked would explain nothing."""
    assert {module for rows in NOT_SECRET.values() for module in rows} | {*DIGESTS} <= {*MODULES}


def test_a_signature_is_compared_in_constant_time_by_the_library() -> None:
    """Tickets and JWTs: PyJWT verifies an HMAC with `compare_digest`."""
    assert "hmac.compare_digest" in inspect.getsource(HMACAlgorithm.verify)


def test_a_store_looks_nothing_up_by_a_secret() -> None:
    """An index over secrets would leak them by its timing: rows are found by the handle, hashes are compared here."""
    columns = [line.split()[0] for line in SCHEMA.splitlines() if line.startswith("    ") and "WHERE" not in line]
    assert "handle" in columns
    assert [name for name in columns if "secret" in name or "hash" in name] == []


LEAKS = {
    "if tag == given: pass": "tag == given",
    "if not expected != given: pass": "expected != given",
    "if given in self.tokens: pass": "given in self.tokens",
    "if tag.startswith(given): pass": "tag.startswith(given)",
    "match given:\n    case token.tag: pass": "match given",
}
"""Ways to compare a secret that are not constant in time, and how each is told."""


@pytest.mark.parametrize(("leak", "told"), LEAKS.items(), ids=LEAKS.values())
def test_a_new_comparison_is_found(leak: str, told: str) -> None:
    """The test can fail: each of these lines, added to the token's module, is told."""
    assert unexplained("token", f"{_text('token')}\n\n{leak}\n")[0] == {told}
    assert unexplained("csrf", _text("csrf").replace("compare_digest(_xor", "bool(_xor"))[0] == set()
    assert constant_time(_text("csrf").replace("compare_digest(_xor", "bool(_xor")) != DIGESTS["csrf"]
