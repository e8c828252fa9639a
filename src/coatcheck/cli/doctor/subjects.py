"""All that `coatcheck doctor` looks at: what, why, and which standard asks for it. The table of docs/doctor.md."""

from __future__ import annotations

from typing import NamedTuple

_HOST = "ASVS 3.3.3; RFC 6265bis, 4.1.3.2"
_NIST = "NIST SP 800-63B-4"


class Subject(NamedTuple):
    """One of the checks."""

    about: str
    """The store, the configuration, the cookie (the configuration's and the site's), or the site."""
    looks: str
    """What is looked at."""
    why: str
    """What happens otherwise."""
    rule: str = ""
    """The standard's number, as in docs/security/requirements.md; "" for what only keeps it running."""


_OF_STORES = {
    "setting": Subject("store", "the store's URL, and what goes with it", "nothing can be served"),
    "store": Subject("store", "whether a store can be examined", "nobody knows what it promises"),
    "reachable": Subject(
        "store", "an answer, and how long it took", "every request with a session gets 503", "ASVS 7.2.1"
    ),
    "settings": Subject("store", "Redis: whether INFO may be read", "what follows is unknown"),
    "version": Subject("store", "Redis 6.2 or newer", "older ones lack commands that sessions need"),
    "eviction": Subject(
        "store", "Redis: `maxmemory-policy`", "people are logged out at random, and ends are forgotten", "ASVS 7.4.1"
    ),
    "memory": Subject("store", "Redis: what is left of `maxmemory`", "a full server refuses logins and changes"),
    "persistence": Subject(
        "store",
        "Redis: append-only file, its fsync, snapshots that fail",
        "who was signed in is forgotten, or who was revoked",
        "ASVS 7.4.1",
    ),
    "role": Subject("store", "Redis: a primary, not a replica", "a replica is behind: what has ended goes on"),
    "wait": Subject(
        "store",
        "Redis: `?wait=N` and the replicas there are",
        "a failover loses acknowledged revocations",
        "ASVS 7.4.1",
    ),
    "isolation": Subject(
        "store",
        "Redis: `min-replicas-to-write`",
        "a primary that was cut off takes changes that get lost",
        "ASVS 7.4.1",
    ),
    "cluster": Subject("store", "Redis Cluster: a primary for every slot", "their sessions get 503", "ASVS 7.2.1"),
    "write": Subject("store", "Redis: the rights to each command, and a change", "every change gets 503"),
    "feed": Subject("store", "whether the store tells what changes", "no near cache; open connections end late"),
    "encryption": Subject(
        "store",
        "Redis, PostgreSQL: TLS with a checked certificate, to another machine",
        "passwords and sessions are read or altered on the way",
        "ASVS 12.3.1, 12.3.2",
    ),
    "clock": Subject(
        "store",
        "Redis, PostgreSQL: its clock against ours",
        "what corrects a large skew may hide a larger",
        "ASVS 16.2.2",
    ),
    "server": Subject("store", "PostgreSQL: version, isolation, primary, tables", "nothing can be served"),
    "durability": Subject(
        "store",
        "PostgreSQL: `synchronous_commit`, `fsync`, unlogged tables",
        "a crash loses acknowledged revocations",
        "ASVS 7.4.1",
    ),
    "folder": Subject("store", "SQLite: the folder, and the right to write there", "nothing can be stored"),
    "place": Subject(
        "store",
        "SQLite: the kind of file system",
        "on one of a network locks do not hold: the file is damaged, and ends get lost",
        "ASVS 7.4.1",
    ),
    "disk": Subject("store", "SQLite: free disk", "changes fail"),
    "key file": Subject(
        "store", "SQLite: the key beside the file, and who may read it", "tickets and tags are forged", "ASVS 13.3.2"
    ),
    "file": Subject("store", "SQLite: who may read the file", "users' data is read"),
    "log": Subject("store", "SQLite: how long its log is", "the disk fills up, and reads get slow"),
    "journal": Subject("store", "SQLite: WAL", "readers wait for writers"),
    "writable": Subject("store", "SQLite: a write transaction begins", "changes fail"),
    "whole": Subject("store", "SQLite: `quick_check`", "sessions are lost, or come back"),
}

_OF_SETTINGS = {
    "app": Subject("configuration", "`--app`: whether it can be loaded, and has a manager", "nothing of it is known"),
    "secret": Subject(
        "configuration",
        "each secret: 32 bytes, no word of examples, no repetition, no run, no words",
        "who guesses it makes tags, tickets and form tokens",
        "ASVS 11.2.3, 11.5.1; RFC 7518, 3.2; RFC 8725, 3.5",
    ),
    "timeouts": Subject(
        "configuration",
        "idle and absolute timeout, remembered or not, against `--preset` (else 30 days in all)",
        "a copied cookie serves longer than it may",
        f"ASVS 7.1.1, 7.3.1, 7.3.2; {_NIST}, 2.1.3, 2.2.3, 2.3.3",
    ),
}

_OF_COOKIES = {
    "secure": Subject(
        "cookie",
        "Secure",
        "it goes over plain http, where everybody on the way reads it",
        f"ASVS 3.3.1; RFC 6265bis, 4.1.2.5; {_NIST}, 5.1.1",
    ),
    "http-only": Subject(
        "cookie", "HttpOnly", "a script in the page takes it away", f"ASVS 3.3.4; RFC 6265bis, 4.1.2.6; {_NIST}, 5.1.1"
    ),
    "same-site": Subject(
        "cookie",
        "SameSite: Lax or Strict, said in words",
        "other sites' forms are sent with it",
        f"ASVS 3.3.2; RFC 6265bis, 4.1.2.7; {_NIST}, 5.1.1",
    ),
    "path": Subject(
        "cookie",
        "Path; `/` for `__Host-`",
        "some pages do not get it, or browsers refuse it",
        "ASVS 3.3.3; RFC 6265bis, 4.1.2.4, 4.1.3.2",
    ),
    "domain": Subject(
        "cookie",
        "no Domain",
        "each sibling host reads it, and plants its own",
        f"ASVS 3.3.3; RFC 6265bis, 4.1.2.3; {_NIST}, 5.1.1",
    ),
    "prefix": Subject(
        "cookie",
        "`__Host-`, or `__Secure-` where Domain or Path need it",
        "a sibling host or plain http plants one",
        _HOST,
    ),
    "size": Subject("cookie", "name and value within 4096 bytes", "browsers refuse it", "ASVS 3.3.5; RFC 6265bis, 5.6"),
    "max-age": Subject(
        "cookie",
        "Max-Age or Expires, against `--preset`, else the policy of `--app`, else 400 days",
        "browsers keep it longer than the session may live, or cut it",
        f"RFC 6265bis, 5.5; {_NIST}, 5.1.1",
    ),
    "persistent": Subject(
        "cookie",
        "whether the cookie survives the browser, where `--preset` has it end with it",
        "the next user of the machine is signed in",
        f"{_NIST}, 5.1",
    ),
}

_OF_SITES = {
    "site": Subject("site", "the URL, and an answer for each path", "nothing of it is known"),
    "tls": Subject(
        "site",
        "TLS 1.2 or newer, a certificate that is trusted and lasts 14 days more",
        "visitors are turned away, or talk to somebody else",
        "ASVS 12.1.1, 12.2.2",
    ),
    "plain-http": Subject(
        "site",
        "`http://` redirects to https of the same host, or nobody listens",
        "a visitor's first request, and what they type, are read or altered",
        f"ASVS 12.2.1; {_NIST}, 5.1",
    ),
    "redirect": Subject(
        "site",
        "where each path leads: at most five redirects, none from https to http",
        "a downgrade shows that a proxy hides https, and shows the request to the network",
        "ASVS 12.2.1",
    ),
    "hsts": Subject(
        "site",
        "`Strict-Transport-Security` of a year or more",
        "an attacker on the network keeps a visitor on plain http",
        "ASVS 3.4.1; RFC 6797",
    ),
    "date": Subject(
        "site",
        "its `Date` against our clock",
        "tickets and timeouts of minutes end early or late",
        "ASVS 16.2.2; RFC 9110, 6.6.1",
    ),
    "cookie": Subject(
        "site",
        "whether a session's cookie was seen: by name, or by the form of its value",
        "its flags were not looked at",
        "ASVS 3.3.1 to 3.3.5",
    ),
    "proxy": Subject(
        "site",
        "whether the application knows that visitors come by https",
        "browsers get a cookie without Secure, or one that they cannot keep",
        f"ASVS 3.3.1, 12.2.1; {_NIST}, 5.1.1",
    ),
    "jwt": Subject(
        "site",
        "cookies that are JWTs, and unsigned ones among them",
        "a session in a JWT cannot be ended before it expires",
        "ASVS 7.4.1, 9.1.2; RFC 8725, 3.1",
    ),
    "no-store": Subject(
        "site",
        "`Cache-Control: no-store` on what sets a cookie, and no `Age`",
        "a cache hands one visitor's session to the next",
        "ASVS 14.3.2; RFC 9111, 5.2.2.5",
    ),
    "vary": Subject(
        "site",
        "`Vary: Cookie` on what sets a cookie",
        "a cache shows one visitor's page to another",
        "ASVS 14.3.2; RFC 9110, 12.5.5",
    ),
}

SUBJECTS: dict[str, Subject] = {**_OF_STORES, **_OF_SETTINGS, **_OF_COOKIES, **_OF_SITES}
"""By the name in the second column of what the doctor prints."""
