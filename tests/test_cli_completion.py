"""`coatcheck completion`: what a shell offers is what the command line takes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from coatcheck.cli import main

COMMANDS = (
    *("keygen", "keys", "completion", "doctor", "migrate", "move", "inspect"),
    *("list", "show", "revoke", "revoke-user", "revoke-all", "stats", "purge", "history", "watch", "export", "import"),
)


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Path:
    """The script for bash."""
    assert main(["completion", "bash"]) == 0
    path = tmp_path / "coatcheck.bash"
    path.write_text(capsys.readouterr().out)
    return path


def offered(script: Path, *words: str) -> set[str]:
    """What a real bash offers behind these words, of which the last is begun."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is missing")
    code = """
        source "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
        $(complete -p coatcheck | sed 's/.*-F \\([^ ]*\\).*/\\1/') coatcheck "${@: -1}" "${@: -2:1}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        [bash, "--norc", "--noprofile", "-c", code, "bash", script, "coatcheck", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return {*done.stdout.split()}


def test_bash_completes_commands_options_and_choices(script: Path) -> None:
    """Every command; the options of one; the values that an option or an argument may have."""
    assert offered(script, "") == {*COMMANDS}
    assert offered(script, "revoke") == {"revoke", "revoke-user", "revoke-all"}
    assert offered(script, "list", "--") == {"--help", "--user", "--limit", "--store", "--namespace", "--json"}
    assert offered(script, "keys", "ro") == {"rotate"}
    assert offered(script, "keys", "rotate", "--step", "") == {"new", "accept", "sign", "retire"}
    assert offered(script, "completion", "") == {"bash", "zsh", "fish"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_scripts_for_other_shells_know_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Made of the same parser; shtab, which writes them, is tried with those shells."""
    assert main(["completion", shell]) == 0
    printed = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in printed] == []
    assert "--dry-run" in printed or "dry-run" in printed


def test_without_shtab_it_says_how_to_get_it() -> None:
    """One line with the command that installs it, and exit code 2; nothing else needs it."""
    code = (
        "import sys; sys.modules['shtab'] = None; from coatcheck.cli import main; sys.exit(main(['completion', 'zsh']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "coatcheck completion: shtab is missing: pip install 'coatcheck[cli]'\n"
