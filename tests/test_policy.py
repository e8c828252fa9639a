"""A policy that contradicts itself does not start, and the presets say what their sources say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from coatcheck import Policy, policy
from coatcheck.errors import ConfigurationError
from coatcheck.policy import SETTLING

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def test_the_defaults_stay_within_nist_aal1() -> None:
    """14 days idle, 30 days in all (NIST SP 800-63B-4, 2.1.3), no limit of sessions, touch at a tenth of idle."""
    default = Policy()
    assert (default.idle_timeout, default.absolute_timeout) == (14 * DAY, 30 * DAY)
    assert (default.remember, default.max_sessions) == (True, None)
    assert default.touch_seconds == 14 * 86_400 / 10
    assert default.rotation_seconds == 86_400


@pytest.mark.parametrize(
    ("preset", "idle", "absolute"),
    [
        (policy.NIST_AAL1, None, 30 * DAY),
        (policy.NIST_AAL2, HOUR, DAY),
        (policy.NIST_AAL3, 15 * MINUTE, 12 * HOUR),
        (policy.OWASP_LOW_RISK, 30 * MINUTE, 8 * HOUR),
        (policy.OWASP_HIGH_VALUE, 5 * MINUTE, 4 * HOUR),
    ],
)
def test_a_preset_is_what_its_source_says(preset: Policy, idle: timedelta | None, absolute: timedelta) -> None:
    """NIST SP 800-63B-4, section 2; OWASP Session Management Cheat Sheet."""
    assert (preset.idle_timeout, preset.absolute_timeout) == (idle, absolute)
    assert preset.remember is (preset is policy.NIST_AAL1)


@pytest.mark.parametrize(
    "settings",
    [
        {"idle_timeout": timedelta(0)},
        {"absolute_timeout": -DAY},
        {"absolute_timeout": None},
        {"remember_timeout": timedelta(0)},
        {"rotation_interval": timedelta(0)},
        {"touch_interval": timedelta(0)},
        {"idle_timeout": 1209600},
        {"idle_timeout": 31 * DAY},
        {"idle_timeout": HOUR, "touch_interval": HOUR},
        {"max_sessions": 0},
    ],
    ids=str,
)
def test_a_policy_that_contradicts_itself_does_not_start(settings: dict[str, Any]) -> None:
    """The error names the setting; nothing is guessed from a number without a unit."""
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        Policy(**settings)


def test_a_policy_cannot_be_changed_behind_the_managers_back() -> None:
    """It is frozen, and two of the same settings are equal."""
    with pytest.raises(AttributeError):
        Policy().remember = False  # type: ignore[misc]
    assert Policy(max_sessions=3) == Policy(max_sessions=3) != Policy()


def test_remembered_sessions_have_a_lifetime_of_their_own() -> None:
    """`remember_timeout` replaces both; without an idle timeout there is none for them either."""
    settings = Policy(idle_timeout=HOUR, absolute_timeout=8 * HOUR, remember_timeout=30 * DAY)
    assert settings.lifetimes(True) == (30 * 86_400, 30 * 86_400)
    assert settings.lifetimes(False) == (3600, 8 * 3600)
    assert Policy(idle_timeout=None, remember_timeout=DAY).lifetimes(True) == (None, 86_400)
    assert Policy().lifetimes(True) == Policy().lifetimes(False)


def test_no_secret_is_replaced_before_it_can_settle() -> None:
    """A shorter rotation interval than the settling time would tell a crashed browser from a thief wrongly."""
    assert Policy(rotation_interval=timedelta(seconds=1)).rotation_seconds == SETTLING
    assert Policy(rotation_interval=None).rotation_seconds == float("inf")
