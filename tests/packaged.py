"""The distributions as a user gets them: built by the locked backend, and installed alone, without the network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """A program without this repository's settings and paths."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COATCHECK_", "PYTHON"))}
    kept["PYTHON"] = sys.executable  # for tools/uv
    done = subprocess.run([*map(str, command)], cwd=cwd, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done


def build(source: Path, into: Path, kind: str = "") -> Path:
    """Build from a folder; the wheel, or with kind="sdist" the archive."""
    target = kind or "wheel"
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", into, cwd=source)
    [made] = into.glob("*.tar.gz" if kind else "*.whl")
    return made


def contents(archive: Path) -> dict[str, bytes]:
    """What is in a wheel or a source archive, by name; the archive's own folder is left out."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist()}
    with tarfile.open(archive) as sdist:
        files = {member.name.partition("/")[2]: sdist.extractfile(member) for member in sdist if member.isfile()}
        return {name: file.read() for name, file in files.items() if file}


class Environment:
    """A fresh one with the wheel and the dependencies that it cannot do without, and no more."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder
        run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
        self.python = folder / "bin" / "python"
        self.packages = next(folder.glob("lib/python*/site-packages"))
        uv = ROOT / "tools" / "uv"
        run(uv, "pip", "install", "--offline", "--no-index", "--no-deps", "--python", self.python, wheel, cwd=folder)
        jwt = distribution("PyJWT")
        for file in jwt.files or ():
            if file.suffix != ".pyc" and ".." not in file.parts:
                (self.packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(jwt.locate_file(file)), self.packages / file)
        run(uv, "pip", "check", "--python", self.python, cwd=folder)

    def borrow(self) -> None:
        """The other packages of this environment as well, frameworks among them; of Coatcheck still the wheel."""
        (self.packages / "others.pth").write_text(f"{distribution('PyJWT').locate_file('')}\n")

    def do(self, code: str, cwd: Path) -> str:
        """What a program prints there, in a folder without sources, and with none on its path."""
        return run(self.python, "-I", "-c", code, cwd=cwd).stdout

    def coatcheck(self, *arguments: str, cwd: Path, code: int = 0) -> str:
        """What the installed command prints, and that its exit code is this one."""
        done = run(self.folder / "bin" / "coatcheck", *arguments, cwd=cwd, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr
