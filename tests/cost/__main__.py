"""Count what a request costs, in processor instructions.

`PYTHONPATH=elsewhere/src` before it counts another working copy, to compare with.
"""

from __future__ import annotations

import argparse
import sys

import coatcheck
from tests.servers import RedisServer, needed

from .counting import BARE, bytecodes, instructions
from .pages import CONTENDERS


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.cost", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of: {', '.join(CONTENDERS)}")
    parser.add_argument("--python", action="store_true", help="by Python function, in bytecodes; quick and exact")
    parser.add_argument("--c", action="store_true", help="by C function, in instructions")
    options = parser.parse_args()
    names = options.names or [*CONTENDERS]
    if unknown := {*names} - {*CONTENDERS}:
        parser.error(f"no contender is called {', '.join(sorted(unknown))}")
    print(f"# {coatcheck.__file__}", file=sys.stderr)
    with RedisServer() as server:
        if options.python:
            for name in names:
                print(name, *bytecodes(name, server.url).lines(), sep="\n")
            return
        counts = instructions(needed("valgrind"), server.url, names)
    for name in counts.by_c_function:
        net, ratio = counts.net(name), counts.ratio(name)
        total = counts.total(name)
        print(f"{name:14}{total:12,.0f} instructions, above the bare page {net:11,.0f}: {ratio:.3f} x PyJWT")
    for name in names if options.c else ():
        print(f"{name}\nof a request  above bare  C function")
        ours, bare = counts.by_c_function[name], counts.by_c_function[BARE]
        for function, number in sorted(ours.items(), key=lambda one: -one[1])[:60]:
            print(f"{number:12,.0f} {number - bare.get(function, 0):11,.0f}  {function}")


if __name__ == "__main__":
    main()
