"""Sessions in Litestar. Run python examples/litestar/app.py, then open http://localhost:8000 ."""

from html import escape

import uvicorn
from litestar import Litestar, Request, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from litestar.response import Redirect

from coatcheck import AsyncSessionManager, Session
from coatcheck.integrations.litestar import SessionConfig, provide_session, ticket_from, ticket_gate

manager = AsyncSessionManager("sqlite:///sessions.db")
SIGN_IN = '<form method="post" action="/login">Your name <input name="name" required> <button>Sign in</button></form>'
PAGE = """<p>{}, visit {}</p><ul>{}</ul><form method="post"><button formaction="/logout">Sign out</button>
<button formaction="/others">Sign out all others</button> <button formaction="/ticket">Download</button></form>"""


@get("/", media_type="text/html")
async def home(session: NamedDependency[Session]) -> str:
    if session.user_id is None:
        return SIGN_IN
    session["visits"] = session.get("visits", 0) + 1
    infos = await manager.sessions(session.user_id, current=session)
    devices = "".join(f"<li>{escape(str(one.client.user_agent))}{' (this one)' * one.current}" for one in infos)
    return PAGE.format(escape(session.user_id), session["visits"], devices)


@post("/{verb:str}", status_code=303)
async def button(request: Request, session: NamedDependency[Session], verb: FromPath[str]) -> Redirect:
    form, place = await request.form(), "/"
    if verb == "login" and form.get("name"):
        session.login(form["name"])
    elif verb == "logout":
        session.logout()
    elif verb == "others" and session.user_id:
        await manager.revoke_user(session.user_id, keep=session)
    elif verb == "ticket" and session.user_id:
        place = "/file?ticket=" + await manager.tickets.issue("download", {"for": session.user_id}, session=session)
    return Redirect(place, status_code=303)


@get("/file", media_type="text/plain", middleware=[ticket_gate()])
async def file(request: Request) -> str:
    return f"For {ticket_from(request).claims['for']}, once."


app = Litestar(
    [home, button, file],
    dependencies={"session": Provide(provide_session)},
    on_app_init=[SessionConfig(manager).on_app_init],
)

if __name__ == "__main__":
    uvicorn.run(app, port=8000)
