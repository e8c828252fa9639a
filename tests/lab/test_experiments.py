"""The lab's experiments: each says what was measured, and comes out the other way where the contenders do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from coatcheck_lab.contenders import CONTENDERS, Contender
from coatcheck_lab.experiments import EXPERIMENTS
from coatcheck_lab.experiments.experiment import Experiment, Part, run
from coatcheck_lab.jwt_libraries import LIBRARIES
from coatcheck_lab.laboratory import Laboratory
from tests.servers import needed

JWT, LOCAL, SESSION = (CONTENDERS[name] for name in ("jwt-cookie", "jwt-local", "session"))

AS_THEY_ARE = {"jwt-cookie": JWT, "session": SESSION}
LOCAL_STORAGE = {"jwt-local": LOCAL, "session": SESSION}
SWAPPED = {"jwt-cookie": SESSION, "session": JWT}


def broken(name: str, kind: str) -> Mapping[str, Contender]:
    """One of the two made by a class of `tests.lab.broken`."""
    return AS_THEY_ARE | {name: AS_THEY_ARE[name]._replace(made_by=f"tests.lab.broken:{kind}")}


OTHER_WAY: Mapping[str, Mapping[str, Contender]] = {
    "scaling": broken("session", "Forgetful"),
    "ease": SWAPPED,
    "flexibility": SWAPPED,
    "security": broken("session", "Credulous"),
    "expiry": SWAPPED,
    "consent": broken("jwt-cookie", "ByAddress"),
    "csrf": SWAPPED,
    "mobile": broken("session", "Deaf"),
    "blocked": broken("jwt-cookie", "ByAddress"),
    "size": SWAPPED,
    "theft": {"jwt-local": SESSION, "session": LOCAL},
    "revocation": SWAPPED,
    "stale": SWAPPED,
    "libraries": AS_THEY_ARE,  # and libraries that accept nothing
    "download": broken("session", "Everlasting"),
    "once": SWAPPED,
    "together": SWAPPED,
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
    contenders = LOCAL_STORAGE if experiment.name == "theft" else AS_THEY_ARE
    assert holds(experiment, laboratory, contenders) is (experiment.part is not Part.ADVANTAGE)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_an_experiment_comes_out_the_other_way(
    laboratory: Laboratory, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Swap the contenders, or break one: nothing in the verdict is known beforehand."""
    if experiment.name == "libraries":
        strict = {name: library._replace(verify=refuse) for name, library in LIBRARIES.items()}
        monkeypatch.setattr("coatcheck_lab.experiments.libraries.LIBRARIES", strict)
    assert holds(experiment, laboratory, OTHER_WAY[experiment.name]) is (experiment.part is Part.ADVANTAGE)


def refuse(token: str, secret: bytes) -> object:
    """A library that accepts nothing."""
    raise ValueError(token, secret)
