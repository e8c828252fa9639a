"""Sessions in aiohttp. Run python examples/aiohttp/app.py, then open http://localhost:8000 ."""

from html import escape

from aiohttp import web

from coatcheck import AsyncSessionManager
from coatcheck.integrations.aiohttp import session_from, setup, ticket_from, ticket_gate

manager = AsyncSessionManager("sqlite:///sessions.db")
routes = web.RouteTableDef()
SIGN_IN = '<form method="post" action="/login">Your name <input name="name" required> <button>Sign in</button></form>'
PAGE = """<p>{}, visit {}</p><ul>{}</ul><form method="post"><button formaction="/logout">Sign out</button>
<button formaction="/others">Sign out all others</button> <button formaction="/ticket">Download</button></form>"""


@routes.get("/")
async def home(request):
    session = session_from(request)
    if session.user_id is None:
        return web.Response(text=SIGN_IN, content_type="text/html")
    session["visits"] = session.get("visits", 0) + 1
    infos = await manager.sessions(session.user_id, current=session)
    devices = "".join(f"<li>{escape(str(one.client.user_agent))}{' (this one)' * one.current}" for one in infos)
    page = PAGE.format(escape(session.user_id), session["visits"], devices)
    return web.Response(text=page, content_type="text/html")


@routes.get("/file")
@routes.post("/file")
@ticket_gate()
async def file(request):
    return web.Response(text=f"For {ticket_from(request).claims['for']}, once.")


@routes.post("/{verb}")
async def button(request):
    session, form, verb, place = session_from(request), await request.post(), request.match_info["verb"], "/"
    if verb == "login" and form.get("name"):
        session.login(form["name"])
    elif verb == "logout":
        session.logout()
    elif verb == "others" and session.user_id:
        await manager.revoke_user(session.user_id, keep=session)
    elif verb == "ticket" and session.user_id:
        place = "/file?ticket=" + await manager.tickets.issue("download", {"for": session.user_id}, session=session)
    raise web.HTTPSeeOther(place)


app = web.Application()
setup(app, manager)
app.add_routes(routes)

if __name__ == "__main__":
    web.run_app(app, host="localhost", port=8000)
