"""The lab's experiments: each says what was measured, and comes out the other way where the contenders do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from coatcheck_lab.contenders import CONTENDERS, Contender
from coatcheck_lab.experiments import EXPERIMENTS
from coatcheck_lab.experiments.experiment import Experiment, Part, run
from coatcheck_lab.laboratory import Laboratory
from tests.servers import needed

SESSION, JWT = CONTENDERS["session"], CONTENDERS["jwt-cookie"]
AS_THEY_ARE = {"jwt-cookie": JWT, "session": SESSION}
SWAPPED = {"jwt-cookie": SESSION, "session": JWT}
FORGETFUL = AS_THEY_ARE | {"session": SESSION._replace(made_by="tests.lab.broken:Forgetful")}

OTHER_WAY: Mapping[str, Mapping[str, Contender]] = {
    "scaling": FORGETFUL,
    "ease": SWAPPED,
    "flexibility": SWAPPED,
    "expiry": SWAPPED,
    "size": SWAPPED,
    "revocation": SWAPPED,
    "stale": SWAPPED,
}
"""With which contenders each experiment must find the opposite."""


@pytest.fixture(scope="module")
def laboratory() -> Iterator[Laboratory]:
    """One, whose contenders a test chooses."""
    with Laboratory() as laboratory:
        yield laboratory


def holds(experiment: Experiment, laboratory: Laboratory, contenders: Mapping[str, Contender]) -> bool:
    """Whether the claim does, with these contenders."""
    for program in experiment.needs:
        needed(program)
    laboratory.contenders = contenders
    verdict = run(1, experiment, laboratory).verdict
    assert verdict is not None
    return verdict.holds


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_an_experiment_finds_what_the_article_says(laboratory: Laboratory, experiment: Experiment) -> None:
    """Claimed advantages do not hold, drawbacks do."""
    assert holds(experiment, laboratory, AS_THEY_ARE) is (experiment.part is not Part.ADVANTAGE)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_an_experiment_comes_out_the_other_way(laboratory: Laboratory, experiment: Experiment) -> None:
    """Swap the contenders, or break one: nothing in the verdict is known beforehand."""
    assert holds(experiment, laboratory, OTHER_WAY[experiment.name]) is (experiment.part is Part.ADVANTAGE)
