"""The lab on a machine that is not ours: it goes on where it can, and says at once where it cannot."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from coatcheck_lab.contenders import CONTENDERS
from coatcheck_lab.experiments.experiment import Experiment, Measured, Part, Verdict, run
from coatcheck_lab.experiments.scaling import ALONE, SCALING
from coatcheck_lab.laboratory import Laboratory
from tests.lab.demo import COMMAND
from tests.servers import needed


def ended(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`coatcheck-lab run` with these words."""
    return subprocess.run(
        [COMMAND, "run", *words], capture_output=True, text=True, check=False, env=os.environ | environment
    )


def test_a_report_that_cannot_be_written_is_said_before_anything_is_run(tmp_path: Path) -> None:
    """Not after three minutes."""
    done = ended("libraries", "--html", str(tmp_path / "no" / "such" / "report.html"))
    assert done.returncode == 2
    assert "The report cannot be written" in done.stdout
    assert "libraries" not in done.stdout
    assert done.stderr == ""


def test_a_proxy_in_the_environment_is_not_asked_for_what_is_on_this_machine() -> None:
    """As offices set it."""
    nobody = "http://127.0.0.1:9"
    done = ended("together", HTTP_PROXY=nobody, http_proxy=nobody, ALL_PROXY=nobody)
    assert done.returncode == 0, done.stdout


def test_a_redis_that_does_not_start_is_told_and_does_without(tmp_path: Path) -> None:
    """Its program is there, and ends at once."""
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    done = ended("together", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 0
    assert "redis-server does not start" in done.stdout
    assert "holds" in done.stdout


def test_an_application_that_does_not_start_says_its_last_words() -> None:
    """Its log is in a folder that is gone when somebody wants to read it."""
    missing = CONTENDERS["jwt-cookie"]._replace(made_by="tests.lab.broken:Missing")
    with (
        Laboratory({"jwt-cookie": missing}) as laboratory,
        pytest.raises(TimeoutError, match="AttributeError"),
        laboratory.site("jwt-cookie"),
    ):
        pass


def test_a_verdict_that_breaks_off_leaves_the_other_rows() -> None:
    """What was measured may be nothing that anybody expected."""

    def judge(_: Measured) -> Verdict:
        raise KeyError("session")

    row = run(1, Experiment("row", Part.USE, "A claim.", "", lambda _: {}, judge), Laboratory())
    assert row.remedy == "broke off: KeyError: 'session'"


def test_sessions_on_several_machines_need_a_server_and_the_row_says_what_its_absence_costs() -> None:
    """Where a JWT does better: it is recognised while no store answers. An SQLite file scales nowhere."""
    for program in SCALING.needs:
        needed(program)
    with Laboratory({name: CONTENDERS[name] for name in ("jwt-cookie", "session")}) as laboratory:
        row = run(1, SCALING, laboratory)
    assert "redis-server" in SCALING.needs
    assert row.measured["jwt-cookie"][ALONE]
    assert not row.measured["session"][ALONE]
    assert row.verdict is not None
    assert "recognised were: jwt-cookie." in row.verdict.why


def test_told_to_end_it_takes_its_servers_and_its_folder_along(tmp_path: Path) -> None:
    """In the middle of a row, with processes at work."""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([COMMAND, "run", "once", "theft"], stdout=subprocess.PIPE, env=environment) as lab:
        deadline = time.monotonic() + 20
        while not any(tmp_path.glob("coatcheck-lab-*/tmp*/log")):
            assert time.monotonic() < deadline
        lab.send_signal(signal.SIGTERM)
        assert lab.wait(20) == 130
    assert not list(tmp_path.glob("coatcheck-lab-*"))


def test_a_ctrl_c_while_a_browser_is_at_work_ends_all_of_it_without_a_word(tmp_path: Path) -> None:
    """The terminal's signal reaches the browser's driver as well, which has to wait for us."""
    needed("chromium")
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    words, pipe = [str(COMMAND), "run", "consent"], subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, env=environment, start_new_session=True) as lab:
        deadline = time.monotonic() + 20
        while not any(tmp_path.rglob("playwright_chromiumdev_profile-*")):
            assert time.monotonic() < deadline
        os.killpg(lab.pid, signal.SIGINT)
        _, said = lab.communicate(timeout=20)
    assert (lab.returncode, said) == (130, b"")
    assert not list(tmp_path.iterdir())
