"""How a machine is run: bounded and the same each time, or long and different each time."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Machine, OpenStore

STEPS = 40
"""Steps of an example, at most."""


def explore(open_store: OpenStore, examples: int, *, repeat: bool = True, shrink: bool = True) -> None:
    """Raises what the first counterexample raises; `repeat`: always the same examples."""
    run_state_machine_as_test(
        lambda: Machine(open_store),  # type: ignore[arg-type]  # it is called, and no more
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            derandomize=repeat,
            database=None,
            deadline=None,
            print_blob=False,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
