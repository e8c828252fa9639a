"""Counting: instructions by valgrind, and bytecodes by Python itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType
from typing import Any, NamedTuple

from .inside import FEW, MANY
from .pages import CONTENDERS

ROOT = Path(__file__).parents[2]
BARE, JWT = "bare", "PyJWT HS256"
WARM_UP, ASKED = 30, 50


class Counts(NamedTuple):
    """Instructions of one request, on the average."""

    by_c_function: dict[str, dict[str, float]]
    """Of each contender."""

    def total(self, name: str) -> float:
        """Those of one contender's request."""
        return sum(self.by_c_function[name].values())

    def net(self, name: str) -> float:
        """Those that it has above the bare page."""
        return self.total(name) - self.total(BARE)

    def ratio(self, name: str) -> float:
        """These in units of what PyJWT takes to check a token."""
        return self.net(name) / self.net(JWT)


def instructions(valgrind: Path, redis: str, names: list[str]) -> Counts:
    """Count some contenders, and the two that they are compared with."""
    names = [*dict.fromkeys([BARE, JWT, *names])]
    with TemporaryDirectory(prefix="coatcheck-cost-") as folder:
        options = ["-q", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={folder}/out.%p"]
        command = [str(valgrind), *options, sys.executable, "-m", "tests.cost.inside", folder, redis, *names]
        # Else the order of sets, and with it the work, is another in each process.
        env = os.environ | {"PYTHONHASHSEED": "0"}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            message = f"the contenders fail under valgrind:\n{done.stdout}{done.stderr}"
            raise RuntimeError(message)
        counts = {}
        for line in done.stdout.splitlines():
            name, *pids = line.split("\t")
            few, many = (_by_c_function(Path(folder, f"out.{pid}")) for pid in pids)
            counts[name] = {function: (many[function] - few[function]) / (MANY - FEW) for function in many}
    return Counts(counts)


def _by_c_function(path: Path) -> Counter[str]:
    """What one process's file says; its lines are `fn=NAME`, and then `LINE INSTRUCTIONS`."""
    counts, function = Counter[str](), ""
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("fn="):
            function = line[3:]
        elif line[:1].isdigit():
            counts[function] += int(line.split()[1])
    return counts


class Bytecodes:
    """How many bytecodes and calls of C functions each Python function has, exactly; C's own work is not in it."""

    def __init__(self) -> None:
        self.codes: Counter[CodeType] = Counter()
        self.entries: Counter[CodeType] = Counter()
        self.calls: dict[CodeType, Counter[str]] = {}

    def _enter(self, frame: Any, event: str, argument: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        self.entries[frame.f_code] += 1
        return self._step

    def _step(self, frame: Any, event: str, argument: object) -> Any:
        if event == "opcode":
            self.codes[frame.f_code] += 1
        return self._step

    def _call(self, frame: Any, event: str, argument: object) -> None:
        if event == "c_call":
            called = getattr(argument, "__qualname__", str(argument))
            self.calls.setdefault(frame.f_code, Counter())[called] += 1

    async def count(self, name: str, sqlite: str, redis: str) -> None:
        """Ask one contender."""
        ask = await CONTENDERS[name](sqlite, redis)
        for _ in range(WARM_UP):
            await ask()
        sys.settrace(self._enter)
        sys.setprofile(self._call)
        for _ in range(ASKED):
            await ask()
        sys.settrace(None)
        sys.setprofile(None)

    def lines(self) -> Iterator[str]:
        """The functions with the most bytecodes first, for one request."""
        yield "bytecodes  entries  function, and the C functions that it calls"
        for code, steps in self.codes.most_common():
            place = "/".join(Path(code.co_filename).parts[-2:])
            calls = self.calls.get(code, Counter()).most_common()
            called = " ".join(f"{name}*{number / ASKED:g}" for name, number in calls)
            yield (
                f"{steps / ASKED:9.1f} {self.entries[code] / ASKED:8.2f}  "
                f"{place}:{code.co_firstlineno} {code.co_qualname}  {called}"
            )


def bytecodes(name: str, redis: str) -> Bytecodes:
    """Count one contender, in this process."""
    counter = Bytecodes()
    with TemporaryDirectory(prefix="coatcheck-cost-") as folder:
        asyncio.run(counter.count(name, f"sqlite:///{folder}/s.db", redis))
    return counter
