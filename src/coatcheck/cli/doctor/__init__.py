"""`coatcheck doctor`: whether a store, a configuration and a running site keep what sessions need."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import Any

from coatcheck.errors import ConfigurationError
from coatcheck.health import Check
from coatcheck.manager import SessionManager

from .. import named, output
from ..arguments import add_store, store_of
from . import app, settings, site, site_cookies, store
from .subjects import SUBJECTS, Subject

DESCRIPTION = """\
Look at a store, at a configuration (--app) and at a running site (--site), and print one line for each thing that
sessions depend on, with the remedy and the requirement where something is wrong. Nothing is changed: on Redis a few
keys of its own come and go. No password, no secret and no cookie's value is printed.
"""
EPILOG = """\
exit code: 0 all is well; 1 it serves, and some promise may not hold one day (warn); 2 it cannot serve, or a promise
is broken (fail). Put it into deployments, and into a timer: settings change while applications run.
"""
_CODES = {"ok": 0, "warn": 1, "fail": 2}


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_store(parser)
    parser.add_argument("--site", metavar="URL", help="a running site, as visitors reach it: https://example.com")
    parser.add_argument(
        "--path",
        action="append",
        default=[],
        metavar="/PATH",
        help="a further page of the site, such as one that sets the session's cookie; may be repeated",
    )
    parser.add_argument("--app", metavar="MODULE:ATTRIBUTE", help="a manager, or an application that has one")
    parser.add_argument("--preset", type=_preset, choices=sorted(settings.PRESETS), help="the timeouts that you chose")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="print only what is not well")


def _preset(text: str) -> str:
    return text.lower().replace("_", "-")


def run(options: argparse.Namespace) -> int:
    """Look, print, and return the exit code."""
    worst, kept = 0, []
    for check in examine(options):
        worst = max(worst, _CODES[check.level])
        if check.level == "ok" and options.quiet:
            continue
        if options.json:
            kept.append(_facts(check))
        else:
            rule = "" if check.level == "ok" or not _subject(check).rule else f"  [{_subject(check).rule}]"
            sys.stdout.write(output.plain(f"{check.level:5} {check.name:12} {check.line}{rule}") + "\n")
            sys.stdout.flush()
    if options.json:
        output.as_json({"code": worst, "checks": kept})
    return worst


def _subject(check: Check) -> Subject:
    """Its row; a store of somebody else's may have checks of its own."""
    return SUBJECTS.get(check.name) or Subject("store", "", "")


def _facts(check: Check) -> dict[str, str]:
    subject = _subject(check)
    return {
        "level": check.level,
        "name": check.name,
        "about": subject.about,
        "found": output.plain(check.text),
        "why": subject.why,
        "remedy": output.plain(check.remedy),
        "requirement": subject.rule,
    }


def examine(options: argparse.Namespace) -> Iterator[Check]:
    """What there is to say of all that was named, one by one."""
    given_url = store_of(options)
    own: Any = None
    if options.app is not None:
        try:
            given = app.load(options.app)
            own = app.manager_of(given)
        except ConfigurationError as error:
            yield Check("fail", "app", str(error))
        else:
            yield Check("ok", "app", repr(own))
            yield from settings.examine(own, options.preset, app.framework_keys(given))
    if given_url or os.environ.get("COATCHECK_STORE") or not (options.app or options.site):
        yield from _by_url(given_url, options.namespace if own is None else own.namespace, alone=own is None)
    elif own is not None:
        yield from store.examine(own)
    if options.site is not None:
        yield from _site(options, own)
    elif options.path:
        yield Check("warn", "site", "a --path of no site", "Add --site")
    if options.preset and not (options.app or options.site):
        yield Check("warn", "timeouts", f"nothing to compare {options.preset} with", "Add --app or --site")


def _by_url(url: str | None, namespace: str, *, alone: bool) -> Iterator[Check]:
    """The store of a URL, or of the environment; and unless an application has its own the environment's secret."""
    try:
        manager = SessionManager(named.url(url), namespace=namespace)
    except ConfigurationError as error:
        yield Check("fail", "setting", str(error))
        return
    with manager:
        yield from store.examine(manager)
        if alone and not manager.secret_is_own:
            yield from settings.secrets(manager, [])


def _site(options: argparse.Namespace, own: Any) -> Iterator[Check]:
    try:
        visit = site.Visit(options.site)
    except ValueError as error:
        yield Check("fail", "site", str(error))
        return
    yield from site.examine(visit, options.path)
    if visit.seen:
        yield from site_cookies.examine(visit, _known(options, own))


def _known(options: argparse.Namespace, own: Any) -> site_cookies.Known:
    name = options.namespace
    names, insecure = {f"__Host-{name}", f"__Secure-{name}", f"__Host-Http-{name}"}, {f"{name}-insecure"}
    if own is not None:
        names, insecure = {own.cookie.name}, {own.cookie.insecure_name}
    return site_cookies.Known(
        frozenset(names | insecure), frozenset(insecure), own is not None, settings.most(options.preset, own)
    )
