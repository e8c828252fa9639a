"""Redis over TLS, with a client certificate and a user of its own: a single one, by Sentinel, and a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.redis.scripts import NEEDS
from tests import certificates
from tests.certificates import HOST, Certificates
from tests.cluster import Cluster
from tests.faults.cast import NAME, Sentinel
from tests.integrations.front import KEY
from tests.servers import RedisServer, free_port

pytestmark = pytest.mark.redis

RIGHTS = ["on", ">pa55", "~coatcheck:*", "resetchannels", "-@all", *(f"+{name.lower()}" for name in NEEDS)]
"""What docs/redis.md says that sessions need, and nothing else."""
OF_A_CLUSTER = [*RIGHTS, "+cluster|slots", "+cluster|nodes", "+asking"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Made once."""
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@contextmanager
def single(files: Certificates, folder: Path) -> Iterator[str]:
    """A primary."""
    del folder
    port = free_port()
    with RedisServer("--tls-port", str(port), *files.of_server, "--user", "shop", *RIGHTS):
        yield f"rediss://shop:pa55@{HOST}:{port}/0?"


@contextmanager
def by_sentinel(files: Certificates, folder: Path) -> Iterator[str]:
    """A primary that a Sentinel with a password of its own names; they speak TLS with each other, too."""
    del folder
    port, own = free_port(), free_port()
    with RedisServer("--tls-port", str(port), *files.of_server, "--user", "shop", *RIGHTS) as primary:
        settings = [option.removeprefix("--") for option in files.of_server]
        pairs = [" ".join(pair) for pair in zip(settings[::2], settings[1::2], strict=True)]
        with Sentinel(primary, port, "requirepass s3ntinel", f"tls-port {own}", *pairs):
            yield f"rediss+sentinel://shop:pa55@{HOST}:{own}/{NAME}?sentinel_password=s3ntinel&"


@contextmanager
def clustered(files: Certificates, folder: Path) -> Iterator[str]:
    """A cluster whose nodes speak TLS with each other."""
    del folder
    with Cluster(*files.of_server, "--tls-cluster", "yes", "--user", "shop", *OF_A_CLUSTER, tls=True) as cluster:
        yield f"rediss+cluster://shop:pa55@{HOST}:{cluster.tls_ports[0]}?"


KINDS = {"single": single, "sentinel": by_sentinel, "cluster": clustered}


@pytest.fixture(scope="module", params=[*KINDS])
def url(request: pytest.FixtureRequest, files: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The store's URL, up to where the settings of TLS follow."""
    with ExitStack() as stack:
        yield stack.enter_context(KINDS[request.param](files, tmp_path_factory.mktemp("tls")))


def test_sessions_live_and_end_behind_tls(url: str, files: Certificates) -> None:
    """Signed in by synchronous code, known and revoked by asynchronous code, with the rights that are documented."""
    with SessionManager(url + files.of_client, secret=KEY) as manager:
        session = manager.load(None)
        session.login("ada", label="laptop")
        session["cart"] = 1
        token = manager.commit(session).token
        assert manager.stats().authenticated == 1

        async def elsewhere() -> tuple[object, int]:
            other = AsyncSessionManager(url + files.of_client, secret=KEY)
            found = (await other.load(token))["cart"]
            ended = await other.revoke_user("ada")
            await other.aclose()
            return found, ended

        assert asyncio.run(elsewhere()) == (1, 1)
        assert manager.load(token).user_id is None
        assert manager.revoke_all() == 0


def test_who_has_no_certificate_is_told_so(url: str, files: Certificates) -> None:
    """In plain words, and without the password."""
    with SessionManager(f"{url}ssl_ca_certs={files.authority}", secret=KEY) as manager:
        with pytest.raises(StoreUnavailable) as refused:
            manager.sessions("ada")
        assert "pa55" not in str(refused.value)


def test_a_server_that_nobody_vouches_for_is_refused(url: str, files: Certificates, tmp_path: Path) -> None:
    """Signed by an authority that the application does not know."""
    other = certificates.make(tmp_path / "other")
    settings = files.of_client.replace(str(files.authority), str(other.authority))
    with SessionManager(url + settings, secret=KEY) as manager, pytest.raises(StoreUnavailable, match="certificate"):
        manager.sessions("ada")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_certificate_for_another_host_is_refused(url: str, files: Certificates, kind: str) -> None:
    """Whoever has one of that authority would get the password; redis-py 5 does not look at the name by itself."""
    elsewhere = url.replace(HOST, "localhost") + files.of_client

    async def ask() -> None:
        async with AsyncSessionManager(elsewhere, secret=KEY) as manager:
            await manager.sessions("ada")

    with SessionManager(elsewhere, secret=KEY) as manager, pytest.raises(StoreUnavailable, match="certificate"):
        asyncio.run(ask()) if kind == "async" else manager.sessions("ada")
    with SessionManager(f"{elsewhere}&ssl_check_hostname=false", secret=KEY) as manager:
        assert manager.sessions("ada") == []
