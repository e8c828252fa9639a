"""A package's source distribution, where its tests are: wheels seldom have them."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path


def unpack(python: Path, package: str, lock: Path, target: Path) -> None:
    """Fetch it in the version, and by the hashes, of a lock, and unpack it as the folder `target`.

    The environment of `python` has pip, which its lock names.
    """
    folder = target.parent
    folder.mkdir(exist_ok=True)
    wanted = folder / f"{package}.txt"
    wanted.write_text(_entry(package, lock.read_text().splitlines()))
    fetch = [
        str(python),
        "-m",
        "pip",
        "download",
        "-q",
        "--disable-pip-version-check",
        "--no-deps",
        f"--no-binary={package}",
    ]
    subprocess.run([*fetch, "--require-hashes", "-r", str(wanted), "-d", str(folder)], check=True)
    archive = next(folder.glob("*.tar.gz"))
    with tarfile.open(archive) as tar:
        inside = tar.getnames()[0].partition("/")[0]
        tar.extractall(folder, filter="data")
    archive.unlink()
    (folder / inside).rename(target)


def _entry(package: str, lines: list[str]) -> str:
    first = next(number for number, line in enumerate(lines) if line.startswith(f"{package}=="))
    last = next(number for number in range(first, len(lines)) if not lines[number].endswith("\\"))
    return "\n".join(lines[first : last + 1])
