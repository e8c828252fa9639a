"""`make applications`: the own tests of real applications, with their own sessions and with ours."""

from __future__ import annotations

import argparse
import sys

from . import page
from .allauth import DjangoAllauth
from .application import Application, Outcome, prepare, tests, version
from .django_itself import DjangoItself
from .flask_login import FlaskLogin
from .flask_wtf import FlaskWTF
from .ihatemoney import IHateMoney
from .lnbits import LNbits
from .sqladmin import SQLAdmin
from .starlette import Starlette
from .superset import Superset
from .wagtail import Wagtail

APPLICATIONS: tuple[Application, ...] = (
    DjangoItself(),
    Wagtail(),
    DjangoAllauth(),
    FlaskWTF(),
    FlaskLogin(),
    IHateMoney(),
    Superset(),
    Starlette(),
    LNbits(),
    SQLAdmin(),
)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(application: Application) -> Outcome:
    """Install an application and run its tests twice."""
    _say(f"{application.title}: installing")
    place = prepare(application)
    _say(f"{application.title}: its tests with its own sessions")
    own = tests(application, place, ours=False)
    _say(f"{application.title}: the same with ours")
    outcome = Outcome(application.name, version(application), own, tests(application, place, ours=True))
    outcome.save()
    return outcome


def main() -> int:
    """Run and tell; 1 if a test that passed fails with ours, and nothing explains it."""
    parser = argparse.ArgumentParser(prog="python -m bench.applications", description=__doc__)
    names = [one.name for one in APPLICATIONS]
    parser.add_argument("names", nargs="*", metavar="name", help=f"which (default: all of {', '.join(names)})")
    parser.add_argument("--kept", action="store_true", help="run none; tell what the last runs here have found")
    parser.add_argument("--write", action="store_true", help="write the table of docs/applications.md anew")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"no such application: {', '.join(sorted(unknown))}. There are {', '.join(names)}")
    chosen = [one for one in APPLICATIONS if not options.names or one.name in options.names]
    surprises = 0
    for application in chosen:
        outcome = Outcome.kept(application.name) if options.kept else run(application)
        if outcome is None:
            _say(f"{application.title}: never ran here")
            continue
        print(page.line(application, outcome), flush=True)
        for test in outcome.worse():
            why = application.explanation(test)
            surprises += why is None
            print(f"  {'meant' if why else 'NOT EXPLAINED'}: {test}" + (f": {why}" if why else ""))
    if options.write:
        if missing := [one.title for one in APPLICATIONS if Outcome.kept(one.name) is None]:
            _say(f"not written: {', '.join(missing)} never ran here")
            return 2
        page.write(APPLICATIONS)
    return int(surprises > 0)


if __name__ == "__main__":
    sys.exit(main())
