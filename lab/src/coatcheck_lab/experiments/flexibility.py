"""Row 3: what can be kept with a login, by type and size, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contenders import STATELESS
from ..contenders.samples import SAMPLES
from .experiment import Experiment, Measured, Part, Value, Verdict

if TYPE_CHECKING:
    from ..laboratory import Laboratory

KEPT = f"kept as they were, of {len(SAMPLES)}"


def measure(laboratory: Laboratory) -> Measured:
    """For each value: store it with a login, and look whether the next request gets it back as it was."""

    def one(name: str) -> dict[str, Value]:
        values: dict[str, Value] = {}
        with laboratory.site(name) as site, laboratory.tab(site) as tab:
            for sample in SAMPLES:
                tab.log_in()
                tab.ask(f"/keep/{sample}", {})
                values[sample] = bool((tab.ask(f"/kept/{sample}") or {}).get("same"))
        return {KEPT: sum(bool(value) for value in values.values())} | values

    return laboratory.each(one)


def judge(measured: Measured) -> Verdict:
    """More flexible is what keeps more."""
    kept = {name: int(values[KEPT] or 0) for name, values in measured.items()}
    best = [name for name, count in kept.items() if count == max(kept.values())]
    told = ", ".join(f"{name} {count}" for name, count in kept.items())
    sizes = [sample for sample in SAMPLES if sample.endswith("KB")]
    sized = ", ".join(f"{name} {sum(bool(values[size]) for size in sizes)}" for name, values in measured.items())
    holds = any(kept[name] > kept["session"] for name in STATELESS if name in kept)
    return Verdict(
        holds,
        f"Of {len(SAMPLES)} values came back as they were: {told}; of the {len(sizes)} that differ in size alone: "
        f"{sized}. Types beside those of JSON are up to the library, and can be converted by hand with any.",
        best,
    )


FLEXIBILITY = Experiment(
    name="flexibility",
    part=Part.ADVANTAGE,
    claim="JWTs are more flexible: they hold whatever the application wants.",
    done="In a real Chromium: log in, keep a value with the login, and compare it with what the next request finds. "
    "No value is converted by hand.",
    measure=measure,
    judge=judge,
    needs=("chromium",),
)
