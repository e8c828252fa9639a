"""`coatcheck doctor --app`: secrets, timeouts against presets, and the cookie that will be set. In both outcomes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis.asyncio

from coatcheck import AsyncSessionManager
from coatcheck.cli.doctor.settings import PRESETS
from coatcheck.policy import NIST_AAL2
from coatcheck.stores.redis import AsyncRedisStore
from tests.doctor import configured
from tests.doctor.shop import KEY
from tests.doctor.stage import HOST, Ask, Names, TlsServer, Told
from tests.doctor.told import path
from tests.servers import PostgresServer, RedisServer

HERE = "tests.doctor.configured"


def look(doctor: Ask, name: str, *arguments: str) -> Told:
    """What is said of one configuration; that the store is in memory alone is not counted."""
    told = doctor("--app", f"{HERE}:{name}", *arguments)
    assert KEY not in told.out
    assert "changeme" not in told.out
    return told


def test_a_configuration_as_it_should_be_gets_no_warning(doctor: Ask) -> None:
    """By defaults; but for a store in memory."""
    told = look(doctor, "plain")
    assert told.bad() == {"store": "warn"}
    assert {"app", "secret", "timeouts", "secure", "persistent", "max-age"} <= {line.name for line in told.lines}


@pytest.mark.parametrize(("name", "level"), [("plain", "ok"), ("weak", "fail"), ("words", "warn")])
def test_a_secret_that_can_be_guessed_is_told(doctor: Ask, name: str, level: str) -> None:
    """An old key counts, by its place. ASVS 11.5.1."""
    told = look(doctor, name)
    assert told.level("secret") == level
    if name == "weak":
        assert "secret number 2" in told.text("secret")
        assert "keygen" in told.text("secret")


@pytest.mark.parametrize(
    ("name", "preset", "level", "text"),
    [
        ("plain", None, "ok", ""),
        ("plain", "nist-aal1", "ok", ""),
        ("plain", "nist-aal2", "fail", "absolute timeout 30 d, and nist-aal2 allows 1 d"),
        ("plain", "nist-aal2", "fail", "idle timeout 14 d, and nist-aal2 allows 1 h"),
        ("long", None, "warn", "absolute timeout 90 d"),
        ("long", "nist-aal1", "fail", "absolute timeout 90 d"),
        ("aal2", "nist-aal2", "ok", ""),
        ("aal2", "nist-aal3", "fail", "absolute timeout 1 d"),
        ("aal3", "nist-aal2", "ok", ""),
        ("aal3", "NIST_AAL3", "ok", ""),
        ("idle", "nist-aal2", "fail", "idle timeout 2 h, and nist-aal2 allows 1 h"),
        ("no_idle", "nist-aal2", "fail", "idle timeout 20 h, and nist-aal2 allows 1 h"),
        ("no_idle", "nist-aal1", "ok", ""),
        ("remembered", "nist-aal2", "fail", "absolute timeout 7 d, and nist-aal2 allows 1 d"),
        ("aal2", "owasp-low-risk", "fail", "idle timeout 1 h"),
    ],
)
def test_timeouts_are_compared_with_the_chosen_preset(
    doctor: Ask, name: str, preset: str | None, level: str, text: str
) -> None:
    """Remembered or not; without a preset NIST's ceiling of 30 days is a warning."""
    told = look(doctor, name, *(("--preset", preset) if preset else ()))
    assert told.level("timeouts") == level
    assert text in told.text("timeouts")


@pytest.mark.parametrize(
    ("name", "preset", "level"),
    [("plain", "nist-aal1", "ok"), ("plain", "nist-aal2", "warn"), ("aal2", "nist-aal2", "ok")],
)
def test_a_cookie_that_will_survive_the_browser_is_told(doctor: Ask, name: str, preset: str, level: str) -> None:
    """Where the preset has it end with the browser."""
    assert look(doctor, name, "--preset", preset).level("persistent") == level


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("never_secure", {"secure": "fail", "prefix": "warn"}),
        ("open_to_scripts", {"http-only": "fail"}),
        ("embedded", {"same-site": "warn"}),
        ("shared", {"domain": "warn"}),
    ],
)
def test_cookie_settings_are_judged_as_the_cookie_that_they_make(doctor: Ask, name: str, bad: dict[str, str]) -> None:
    """By the same rules as a site's."""
    assert look(doctor, name).bad() == {**bad, "store": "warn"}


@pytest.mark.parametrize(
    "name",
    [
        "asynchronous",
        "named",
        "Holder.manager",
        "wrapped",
        "starlette_app",
        "unserved_app",
        "wsgi_app",
        "quart_app",
        "litestar_app",
        "aiohttp_app",
    ],
)
def test_the_manager_of_an_application_is_found(doctor: Ask, name: str) -> None:
    """Of each framework, as its own `manager_from` finds it."""
    told = look(doctor, name)
    assert "basket on" in told.text("app")
    assert "__Host-basket" in told.text("secure")


def test_the_frameworks_own_key_is_looked_at_where_ours_is_made_of_it(
    doctor: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stretched to 32 bytes, which makes it no harder to guess; with one of our own it does not count."""
    told = look(doctor, "flask_app")
    assert "the framework's SECRET_KEY" in told.text("secret")
    assert told.level("secret") == "fail"
    monkeypatch.setenv("COATCHECK_SECRET", KEY)
    assert look(doctor, "flask_app").level("secret") == "ok"


def test_djangos_key_is_looked_at(tmp_path: Path) -> None:
    """In a process of its own, as its settings are: a short one, and a long one that holds words of examples."""
    (tmp_path / "mysite.py").write_text(
        "import os\n"
        "from django.conf import settings\n"
        "settings.configure(SECRET_KEY=os.environ['KEY'], MIDDLEWARE=[], INSTALLED_APPS=[],\n"
        "    SESSION_ENGINE='coatcheck.integrations.django', COATCHECK={'store': 'memory://'})\n"
        "import coatcheck.integrations.django\n"
        "from django.core.wsgi import get_wsgi_application\n"
        "application = get_wsgi_application()\n"
        "print('a line of its own')\n"
    )
    command = [sys.executable, "-m", "coatcheck", "doctor", "--app", "mysite:application", "--json"]
    for key, level in (("django-insecure-" + "k3y" * 12, "fail"), ("k3y", "fail"), (KEY, "ok"), (KEY[:30], "ok")):
        env = os.environ | {"KEY": key}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
        (secret,) = (one for one in json.loads(done.stdout)["checks"] if one["name"] == "secret")
        assert secret["level"] == level, done.stderr
        assert "a line of its own" in done.stderr
        assert key not in done.stdout


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere", "module:attribute"),
        (":app", "module:attribute"),
        ("tests.doctor.nowhere:app", "ModuleNotFoundError"),
        (f"{HERE}:nowhere", "the module has no nowhere"),
        (f"{HERE}:made", "no session manager is found from a function"),
        (f"{HERE}:bare", "no session manager"),
        (f"{HERE}:unserved_wrong", "no store is called 'redsi'"),
        (f"{HERE}:folder", "no session manager"),
    ],
)
def test_an_application_that_cannot_be_loaded_is_a_fault(doctor: Ask, target: str, words: str) -> None:
    """In one line that says what to try, and without the error's own text."""
    told = doctor("--app", target)
    assert told.code == 2
    assert [line.name for line in told.lines] == ["app"]
    assert words in told.text("app")


def test_an_application_that_raises_at_its_import_tells_no_secret(
    doctor: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error's text may be a URL with a password."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "raises_at_import.py").write_text("raise ValueError('redis://:pa55@cache')\n")
    (tmp_path / "leaves_at_import.py").write_text("raise SystemExit(0)\n")
    for name, kind in (("raises", "ValueError"), ("leaves", "SystemExit")):
        told = doctor("--app", f"{name}_at_import:app")
        assert kind in told.text("app")
        assert "pa55" not in told.out


def test_the_store_of_an_application_is_examined_where_it_can_be(doctor: Ask, tmp_path: Path) -> None:
    """That of a synchronous manager, else that of the URL; the secret is then the application's."""
    told = look(doctor, "over_file")
    assert told.level("folder") == "ok"
    assert "its URL" in look(doctor, "asynchronous").text("store")
    told = look(doctor, "asynchronous_file")
    assert (told.level("folder"), told.level("store")) == ("ok", "")
    both = look(doctor, "asynchronous", f"sqlite:///{tmp_path}/new.db")
    assert (both.level("folder"), both.level("store")) == ("ok", "")
    assert both.level("secret") == "ok"
    assert [*tmp_path.iterdir()] == []


@pytest.mark.redis
@pytest.mark.postgresql
def test_the_store_of_an_asynchronous_manager_is_examined_too(
    doctor: Ask, redis_server: RedisServer, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through its synchronous twin; one around the application's own client has none, and needs the URL."""
    postgres_server.empty()
    lent = AsyncRedisStore(redis.asyncio.Redis(host=redis_server.host, port=redis_server.port))
    stores: dict[str, str | AsyncRedisStore] = {
        "redis": redis_server.url,
        "postgresql": f"{postgres_server.url}?create=1",
        "lent": lent,
    }
    for name, store in stores.items():
        monkeypatch.setattr(configured, name, AsyncSessionManager(store, secret=KEY), raising=False)
    assert look(doctor, "redis").level("write") == "ok"
    assert look(doctor, "postgresql").level("server") == "ok"
    assert "its URL" in look(doctor, "lent").text("store")
    assert look(doctor, "lent", redis_server.url).level("write") == "ok"


def test_the_sites_cookie_is_compared_with_the_policy_of_the_application(
    doctor: Ask, names: Names, site: TlsServer
) -> None:
    """Another lifetime shows that another configuration runs; its name says which cookie it is; and where a page sets
    none it was looked at already."""
    names.ports[HOST, 443] = site.port

    def seen(age: str) -> Told:
        cookie = ("set-cookie", f"__Host-basket=v; Path=/; Secure; HttpOnly; SameSite=Lax{age}")
        page = path(cookie, ("cache-control", "no-store"), ("vary", "Cookie"))
        return look(doctor, "named", "--site", f"https://{HOST}{page}")

    assert seen("; Max-Age=2592000").level("max-age") == "ok"
    assert "the policy of --app allows 30 d" in seen("; Max-Age=2592060").text("max-age")
    told = look(doctor, "named", "--site", f"https://{HOST}/")
    assert told.level("cookie") == "ok"
    assert "looked at in --app" in told.text("cookie")


def test_every_named_policy_is_a_preset() -> None:
    """But the one for tests alone."""
    assert {*PRESETS} == {"nist-aal1", "nist-aal2", "nist-aal3", "owasp-low-risk", "owasp-high-value"}
    assert PRESETS["nist-aal2"] is NIST_AAL2
