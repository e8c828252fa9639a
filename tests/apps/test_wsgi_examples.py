"""The small applications in examples/ do what they show."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import httpx
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["wsgi", "bottle", "falcon", "pyramid"])
def test_an_example_works_from_sign_in_to_sign_out(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A counter, two devices, one of them signed out by the other, a download once; a name is no HTML."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COATCHECK_SECRET", raising=False)
    app = runpy.run_path(str(EXAMPLES / name / "app.py"))["app"]

    def browser(agent: str) -> httpx.Client:
        headers = {"user-agent": agent, "sec-fetch-site": "same-origin"}
        # https, since the cookie jar does not send a Secure cookie to localhost, as browsers do.
        transport = httpx.WSGITransport(app=app)
        return httpx.Client(transport=transport, base_url="https://localhost", headers=headers, follow_redirects=True)

    with browser("A <b>") as one, browser("B") as other:
        assert "Your name" in one.get("/").text
        for client in (one, other):
            assert "visit 1" in client.post("/login", data={"name": "<i>Ada"}).text
        page = one.get("/").text
        assert "&lt;i&gt;Ada, visit 2" in page
        assert sorted(re.findall("<li>([^<]*)", page)) == ["A &lt;b&gt; (this one)", "B"]
        file = one.post("/ticket")
        assert (file.status_code, file.text) == (200, "For <i>Ada, once.")
        assert one.get(file.url).status_code == 410
        assert "<li>B" not in one.post("/others").text
        assert "Your name" in other.get("/").text
        assert "Your name" in one.post("/logout").text
