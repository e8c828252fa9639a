"""The architecture page: which module may import which, and the few rules that every file keeps."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "coatcheck"
LAB = ROOT / "lab" / "src" / "coatcheck_lab"

CONTRACT = "errors clock codec policy record change gate store tally feed moves trail"
"""What a store is made of: the contract, and the pure functions that it calls in its atomic steps."""

FRONT = (
    "errors info session html events cookies csrf tickets replies manager exchange incoming arrival departure "
    "legacy.source connect.framework_secret watch.ENDED watch.WORDS streams "
    "engine.Commit engine.KEEP engine.DROP pages"
)
"""What an integration is made of."""

MAY_IMPORT = {
    # The ground.
    "errors": "",
    "clock": "",
    "hosts": "",
    "health": "",
    "fork": "",
    "browsers": "",
    # Forms and settings.
    "strength": "",
    "keyring": "errors strength",
    "token": "errors keyring",
    "strict_jwt": "errors",
    "jwt_token": "errors keyring token strict_jwt",
    "codec": "errors",
    "policy": "errors",
    # The store contract: pure data and pure functions.
    "record": "errors codec policy",
    "info": "clock record",
    "rotation": "token policy record",
    "calm": "codec token policy record",
    "change": "errors codec record rotation",
    "gate": "errors codec policy record change",
    "store": "errors clock codec record change gate",
    "tally": "browsers record store",
    "feed": "errors",
    "moves": "gate record store",
    "rows": "errors codec policy record store",
    "trail": "",
    "offload": CONTRACT,
    # Two stores at once.
    "milestones": f"{CONTRACT} token",
    "moving": f"{CONTRACT} milestones",
    "moving_store": f"{CONTRACT} health milestones moving",
    # Decisions, without I/O.
    "fields": "errors codec",
    "session": "errors clock token keyring codec policy record info fields",
    "events": "errors clock info",
    "csrf": "errors keyring session",
    "html": "csrf session",
    "near": "clock record store",
    "loading": "errors clock keyring token codec policy record info rotation calm near store session events csrf",
    "engine": "errors token codec policy record rotation change store fields session events loading",
    "directory": "errors token codec record change info store session loading engine",
    "ticket_jwt": "errors clock keyring token strict_jwt session",
    "tickets": "errors clock keyring token strict_jwt ticket_jwt policy store session events engine",
    "cookies": "errors hosts policy engine.Commit",
    "replies": "errors",
    # At work: the drivers of the engine, and the store that a URL names.
    "connect": "errors clock keyring store moving_store stores",
    "listener": "errors clock fork events feed",
    "watch": "errors clock record store",
    "hearing": "errors token session feed listener near watch",
    "audit": "errors clock fork trail token session events connect",
    "managing": (
        "errors clock strength keyring token jwt_token policy store events engine directory tickets cookies connect "
        "hearing trail audit"
    ),
    "manager": "errors clock store trail offload info session engine tickets watch managing",
    # Who watches: nothing above or below knows of them.
    "logs": "clock events",
    "telemetry": "errors clock fork change store events session near manager",
    # What other libraries' sessions were. A middleware's settings know of sources, and its drivers exchange.
    "legacy": "errors token codec record change gate store session events engine fields",
    "paths": "errors",
    "exchange": (
        "errors hosts info session events csrf replies manager legacy.source paths "
        "engine.Commit engine.KEEP engine.DROP"
    ),
    "incoming": "",
    "streams": "session events manager",
    "arrival": "errors session manager replies legacy exchange",
    "departure": "errors session events manager exchange engine.Commit engine.KEEP",
    "pages": "errors browsers tally html session events csrf trail replies manager",
    "passage": "errors clock session replies tickets manager exchange engine.Plan",
    # Siblings: none of them imports another.
    "stores.memory": f"{CONTRACT} offload",
    "stores.sqlite": f"{CONTRACT} offload health fork rows",
    "stores.redis": f"{CONTRACT} token health fork",
    "stores.postgresql": f"{CONTRACT} health fork rows",
    "integrations.asgi": FRONT,
    "integrations.gate": f"{FRONT} passage integrations.asgi",
    "integrations.starlette": f"{FRONT} policy integrations.asgi",
    "integrations.fastapi": f"{FRONT} integrations.asgi integrations.starlette",
    "integrations.wsgi": f"{FRONT} passage",
    "integrations.flask": f"{FRONT} policy passage",
    "integrations.quart": (
        f"{FRONT} passage integrations.asgi integrations.gate integrations.flask_config integrations.flask_session"
    ),
    "integrations.pyramid": f"{FRONT} integrations.wsgi",
    "integrations.django": f"{FRONT} clock policy passage token",
    "integrations.aiohttp": f"{FRONT} passage",
    "integrations.litestar": f"{FRONT} engine integrations.asgi integrations.gate",
    "testing": f"{CONTRACT} keyring token info rotation session events engine cookies csrf tickets manager",
    "mover": f"{CONTRACT} milestones moving moving_store",
    "cli": (
        "keyring errors feed store tally health manager moving_store mover stores.postgresql.schema info "
        "hosts policy strength engine.Commit audit trail record gate moves token"
    ),
    "__main__": "cli",
}
"""The arrows: a module, and all that it may import. A package stands for all that is in it, and a store or an
integration also for the files that share its name: `stores.sqlite` for `stores.sqlite_file`."""

NOT_AT_IMPORT = {"stores", "integrations", "testing", "pages", "cli", "__main__"}
"""What `import coatcheck` leaves alone until a URL or the user names it."""

PUBLIC = {"browsers", "errors", "events", "policy", "integrations", "pages", "testing"}
"""The modules that the lab may import beside the package itself: it is the first outside user."""

LONGEST = 400
"""Lines."""
LONGEST_OF_A_FRAMEWORK = 250
"""Lines of a file in integrations/: what grows beyond is not that framework's own, or is another subject."""

SHIPPED = sorted(SOURCE.rglob("*.py"))
LABELS = [str(path.relative_to(SOURCE)) for path in SHIPPED]


def _module(path: Path) -> str:
    """The module in a file: `stores.memory`; "" for the package itself."""
    return ".".join(part for part in path.relative_to(SOURCE).with_suffix("").parts if part != "__init__")


def _imports(path: Path, package: str) -> Iterator[str]:
    """The absolute name of all that a file imports, anywhere in it; leading dots start from `package`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _ours(path: Path, package: str) -> set[str]:
    """What a file imports of Coatcheck, without the package's own name."""
    names = _imports(path, package)
    return {name.removeprefix("coatcheck").lstrip(".") for name in names if name.split(".")[0] == "coatcheck"}


def _within(name: str, modules: set[str]) -> bool:
    """Whether a name is one of these modules, or lies in one or in a file that shares its name."""
    inside = [f"{module}." for module in modules] + [f"{module}_" for module in modules if "." in module]
    return name in modules or name.startswith(tuple(inside))


@pytest.mark.parametrize("path", SHIPPED, ids=LABELS)
def test_imports_follow_the_arrows(path: Path) -> None:
    """A module imports only what its row allows; a module without a row fails."""
    module = _module(path)
    imported = _ours(path, ".".join(["coatcheck", *path.relative_to(SOURCE).parts[:-1]]))
    if not module:
        assert {name for name in imported if _within(name, NOT_AT_IMPORT)} == set()
    elif imported or path.name != "__init__.py":
        row = next((row for row in MAY_IMPORT if _within(module, {row})), None)
        assert row is not None, f"{module} has no row in MAY_IMPORT: say there what it may import"
        allowed = {row, *MAY_IMPORT[row].split()}
        assert {name for name in imported if not _within(name, allowed)} == set()


def test_the_arrows_run_one_way() -> None:
    """Each row names only rows above it, or a package: so there is no cycle."""
    above = {"stores"}  # `connect` loads a store when a URL names it
    for row, names in MAY_IMPORT.items():
        assert [name for name in names.split() if not _within(name, above)] == [], row
        above.add(row)


@pytest.mark.parametrize("path", sorted(LAB.rglob("*.py")), ids=lambda path: str(path.relative_to(LAB)))
def test_the_lab_uses_public_names_only(path: Path) -> None:
    """What the demo does, any user can do."""
    imported = _ours(path, ".".join(["coatcheck_lab", *path.relative_to(LAB).parts[:-1]]))
    private = {_module(file) for file in SHIPPED} - {""}
    assert {name for name in imported if _within(name, private) and not _within(name, PUBLIC)} == set()


def test_importing_the_package_loads_no_third_party_module() -> None:
    """`import coatcheck` works, and is quick, where no driver and no framework is installed."""
    code = "import sys; before = {*sys.modules}; import coatcheck; print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "coatcheck" in loaded
    assert loaded - {"coatcheck"} - sys.stdlib_module_names == set()


def test_no_source_file_is_longer_than_400_lines() -> None:
    """A longer file holds more than one concept: split it."""
    lengths = {path: len(path.read_text().splitlines()) for path in [*SHIPPED, *LAB.rglob("*.py")]}
    assert {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > LONGEST} == {}
    own = {path.relative_to(ROOT): n for path, n in lengths.items() if SOURCE / "integrations" in path.parents}
    assert {str(path): n for path, n in own.items() if n > LONGEST_OF_A_FRAMEWORK} == {}


def test_every_test_says_what_it_checks() -> None:
    """A test's docstring states the promise; its name is the short form."""
    mute = [
        f"{path.name}: {node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert mute == []


def _files() -> Iterator[Path]:
    """The repository's own files, found without git: a release's archive has none."""
    made = re.compile(r"\.(?!ci$|github$|gitignore$)|(__pycache__|node_modules|dist|build)$|.*\.egg-info$")
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not made.match(name)]
        yield from (Path(folder, name) for name in names if not made.match(name))


def test_no_file_names_a_machine_or_a_package_registry() -> None:
    """What is committed works anywhere: it holds no path of one machine and no address of a package index."""
    # The tildes keep this file from holding them itself.
    paths = "ho~me/[a-z]|Us~ers/[a-z]|ro~ot/|wo~rk/|fa~rm/|tm~p/[a-z]"
    hosts = r"\bpy~pi\.org|python~hosted|npm~js\.|deb~\.debian\."
    feeds = r"https?:~//\S+/(simple|packages)/|\"resol~ved\" *: *\"http|regis~try *= *\"?http"
    banned = re.compile(rf"(?<![\w.-])/({paths})|{hosts}|{feeds}".replace("~", ""))
    hits = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if banned.search(line)
    ]
    assert hits == []
