"""aiohttp's download gate: files, ranges, streams, HTTP exceptions, forms, and the access log."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from coatcheck.errors import ConfigurationError, TicketSpent
from coatcheck.integrations.aiohttp import manager_from, session_from, ticket_from, ticket_gate
from tests.apps.aiohttp_tools import Client, application, client, post


async def ask(request: web.Request) -> web.Response:
    """A ticket for a file's name."""
    session = session_from(request)
    session["seen"] = True
    claims = {"file": request.query["file"]}
    return web.Response(text=await manager_from(request).tickets.issue("download", claims, session=session))


def shop(handler: Any, **settings: Any) -> web.Application:
    """An application with a handler behind the gate, for GET and POST."""
    gated = ticket_gate(**settings)(handler)
    return application(web.post("/ask", ask), web.get("/file", gated), web.post("/file", gated))


async def ticket(browser: Client, file: str = "x") -> str:
    """A visitor's new ticket."""
    await post(browser, "/login/ada")
    return (await post(browser, f"/ask?file={file}"))[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With one file."""
    (tmp_path / "a.txt").write_text("0123456789")
    return tmp_path


async def test_a_file_goes_out_once_and_may_be_resumed(folder: Path) -> None:
    """13: aiohttp's FileResponse, which learns its status while it is prepared; the connection is good for more."""

    async def send(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(folder / ticket_from(request).claims["file"])

    async with client(shop(send)) as browser:
        address = f"/file?ticket={await ticket(browser, 'a.txt')}"
        async with browser.get(address) as response:
            assert (response.status, await response.text()) == (200, "0123456789")
            assert response.headers["content-disposition"] == "attachment"
            assert response.headers["cache-control"] == "no-store"
        async with browser.get(address, headers={"range": "bytes=4-"}) as response:
            assert (response.status, await response.text()) == (206, "456789")
        async with browser.get(address, headers={"accept": "text/html"}) as response:
            assert response.status == 410
            assert response.headers["referrer-policy"] == "no-referrer"
            assert "content-disposition" not in response.headers
            assert "used before" in await response.text()


async def test_a_failure_leaves_the_ticket_whole(tmp_path: Path) -> None:
    """C: a file that is not there, an exception, a refusal of the handler's own."""
    answers: list[Any] = [web.FileResponse(tmp_path / "none"), ZeroDivisionError(), web.HTTPForbidden()]

    async def send(_: web.Request) -> web.StreamResponse:
        answer = answers.pop(0) if answers else web.Response(text="at last")
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, web.StreamResponse)
        return answer

    async with client(shop(send)) as browser:
        address = f"/file?ticket={await ticket(browser)}"
        statuses = []
        for _ in range(5):
            async with browser.get(address) as response:
                statuses.append(response.status)
        assert statuses == [404, 500, 403, 200, 410]


@pytest.mark.parametrize("caught", [False, True])
async def test_a_stream_is_refused_before_its_first_byte(caught: bool) -> None:
    """13: the ticket is taken as the handler starts its response, by somebody else meanwhile: 410, and whole."""

    async def send(request: web.Request) -> web.StreamResponse:
        if request.query.get("late"):
            sent = request.headers["x-ticket"]
            await manager_from(request).tickets.redeem(sent, "download", session_from(request))
        response = web.StreamResponse()
        try:
            await response.prepare(request)
        except TicketSpent:
            if not caught:
                raise
            return web.Response(text="the file")
        await response.write(b"the file")
        return response

    async with client(shop(send)) as browser:
        jwt = await ticket(browser)
        async with browser.get(f"/file?late=1&ticket={jwt}", headers={"x-ticket": jwt}) as response:
            assert response.status == 410
            assert "the file" not in await response.text()
        async with browser.get(f"/file?ticket={await ticket(browser)}") as response:
            assert (response.status, await response.text()) == (200, "the file")


async def test_a_redirect_that_is_raised_takes_the_ticket() -> None:
    """13: it gives out an address that may be secret."""

    async def send(_: web.Request) -> web.Response:
        raise web.HTTPFound("/elsewhere")

    async with client(shop(send)) as browser:
        address = f"/file?ticket={await ticket(browser)}"
        for status in (302, 410):
            async with browser.get(address, allow_redirects=False) as response:
                assert response.status == status


async def test_a_posted_form_shows_its_ticket_and_reaches_the_handler() -> None:
    """ASVS 14.2.1: out of every log."""

    async def send(request: web.Request) -> web.Response:
        return web.Response(text=str((await request.post())["more"]))

    async with client(shop(send)) as browser:
        form = {"ticket": await ticket(browser), "more": "fields"}
        assert await post(browser, "/file", data=form) == (200, "fields")
        assert (await post(browser, "/file", data=form))[0] == 410
        assert (await post(browser, "/file", data={"ticket": "x", "more": "y" * 20_000}))[0] == 403


async def test_the_access_log_holds_no_ticket(caplog: pytest.LogCaptureFixture) -> None:
    """A log's reader could be faster than the browser. The handler finds the rest of its query as it was."""
    caplog.set_level(logging.INFO, "aiohttp.access")
    queries: list[Any] = []

    async def send(request: web.Request) -> web.Response:
        queries.append((dict(request.query), request.path_qs, request.raw_path, str(request.url.query_string)))
        return web.Response(text="the file")

    @web.middleware
    async def looks(request: web.Request, handler: Any) -> web.StreamResponse:
        assert request.query.keys() == request.url.query.keys()  # aiohttp remembers what it was asked
        assert request.path_qs
        response: web.StreamResponse = await handler(request)
        return response

    app = shop(send)
    app.middlewares.append(looks)
    async with client(app) as browser:
        jwt = await ticket(browser)
        async with browser.get(URL(f"/file?a=1%2F2&ticket={jwt}", encoded=True)) as response:
            assert response.status == 200
    assert any("/file" in line for line in caplog.messages)
    assert not any(jwt in line for line in caplog.messages)
    assert queries[0][0] == {"a": "1/2", "ticket": "-"}
    assert queries[0][1] == queries[0][2] == "/file?a=1%2F2&ticket=-"


async def test_your_own_page_of_a_refusal() -> None:
    """For a person; and no ticket outside of the gate."""

    async def send(_: web.Request) -> web.Response:
        raise AssertionError

    async def outside(request: web.Request) -> web.Response:
        with pytest.raises(ConfigurationError, match="ticket_gate"):
            ticket_from(request)
        return web.Response()

    app = shop(send, page=lambda request, error, status: f"<p>{request.path} {status} {type(error).__name__}")
    app.add_routes([web.get("/outside", outside)])
    async with client(app) as browser:
        async with browser.get("/file", headers={"accept": "text/html"}) as response:
            assert (response.status, await response.text()) == (403, "<p>/file 403 TicketInvalid")
        async with browser.get("/outside") as response:
            assert response.status == 200
