"""Sessions in FastAPI. Run python examples/fastapi/app.py, then open http://localhost:8000 ."""

from html import escape
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Form
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route

from coatcheck.integrations.fastapi import CurrentSession, CurrentUserId, SessionMiddleware, Sessions
from coatcheck.integrations.gate import TicketGate, ticket_from

app = FastAPI()
app.add_middleware(SessionMiddleware, store="sqlite:///sessions.db")
SIGN_IN = '<form method="post" action="/login">Your name <input name="name" required> <button>Sign in</button></form>'
PAGE = """<p>{}, visit {}</p><ul>{}</ul><form method="post"><button formaction="/logout">Sign out</button>
<button formaction="/others">Sign out all others</button> <button formaction="/ticket">Download</button></form>"""


@app.get("/", response_class=HTMLResponse)
async def home(session: CurrentSession, sessions: Sessions) -> str:
    if session.user_id is None:
        return SIGN_IN
    session["visits"] = session.get("visits", 0) + 1
    infos = await sessions.sessions(session.user_id, current=session)
    devices = "".join(f"<li>{escape(str(one.client.user_agent))}{' (this one)' * one.current}" for one in infos)
    return PAGE.format(escape(session.user_id), session["visits"], devices)


@app.post("/login")
async def login(session: CurrentSession, name: Annotated[str, Form()]) -> RedirectResponse:
    session.login(name)  # when you have checked the password
    return RedirectResponse("/", 303)


@app.post("/{verb}")
async def button(session: CurrentSession, user_id: CurrentUserId, sessions: Sessions, verb: str) -> RedirectResponse:
    place = "/"
    if verb == "logout":
        session.logout()
    elif verb == "others":
        await sessions.revoke_user(user_id, keep=session)
    elif verb == "ticket":
        place = "/file?ticket=" + await sessions.tickets.issue("download", {"for": user_id}, session=session)
    return RedirectResponse(place, 303)


async def file(scope, receive, send):
    await PlainTextResponse(f"For {ticket_from(scope).claims['for']}, once.")(scope, receive, send)


app.router.routes.append(Route("/file", TicketGate(file)))

if __name__ == "__main__":
    uvicorn.run(app, port=8000)
