"""Sessions in Starlette. Run python examples/starlette/app.py, then open http://localhost:8000 ."""

from html import escape

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route

from coatcheck import AsyncSessionManager
from coatcheck.integrations.gate import TicketGate, ticket_from
from coatcheck.integrations.starlette import SessionMiddleware

manager = AsyncSessionManager("sqlite:///sessions.db")
SIGN_IN = '<form method="post" action="/login">Your name <input name="name" required> <button>Sign in</button></form>'
PAGE = """<p>{}, visit {}</p><ul>{}</ul><form method="post"><button formaction="/logout">Sign out</button>
<button formaction="/others">Sign out all others</button> <button formaction="/ticket">Download</button></form>"""


async def home(request):
    session = request.session
    if session.user_id is None:
        return HTMLResponse(SIGN_IN)
    session["visits"] = session.get("visits", 0) + 1
    infos = await manager.sessions(session.user_id, current=session)
    devices = "".join(f"<li>{escape(str(one.client.user_agent))}{' (this one)' * one.current}" for one in infos)
    return HTMLResponse(PAGE.format(escape(session.user_id), session["visits"], devices))


async def button(request):
    session, form, verb, place = request.session, await request.form(), request.path_params["verb"], "/"
    if verb == "login" and form.get("name"):
        session.login(form["name"])
    elif verb == "logout":
        session.logout()
    elif verb == "others" and session.user_id:
        await manager.revoke_user(session.user_id, keep=session)
    elif verb == "ticket" and session.user_id:
        place = "/file?ticket=" + await manager.tickets.issue("download", {"for": session.user_id}, session=session)
    return RedirectResponse(place, 303)


async def file(scope, receive, send):
    await PlainTextResponse(f"For {ticket_from(scope).claims['for']}, once.")(scope, receive, send)


app = Starlette(
    routes=[Route("/", home), Route("/file", TicketGate(file)), Route("/{verb}", button, methods=["POST"])],
    middleware=[Middleware(SessionMiddleware, manager=manager)],
)

if __name__ == "__main__":
    uvicorn.run(app, port=8000)
