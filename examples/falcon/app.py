"""Sessions in Falcon. Run python examples/falcon/app.py, then open http://localhost:8000 ."""

from html import escape
from wsgiref.simple_server import make_server

import falcon

from coatcheck import SessionManager
from coatcheck.integrations.wsgi import SessionMiddleware, session_from
from coatcheck.integrations.wsgi_gate import TicketGate, ticket_from

manager = SessionManager("sqlite:///sessions.db")
SIGN_IN = '<form method="post" action="/login">Your name <input name="name" required> <button>Sign in</button></form>'
PAGE = """<p>{}, visit {}</p><ul>{}</ul><form method="post"><button formaction="/logout">Sign out</button>
<button formaction="/others">Sign out all others</button> <button formaction="/ticket">Download</button></form>"""


def home(session):
    if session.user_id is None:
        return SIGN_IN
    session["visits"] = session.get("visits", 0) + 1
    infos = manager.sessions(session.user_id, current=session)
    devices = "".join(f"<li>{escape(str(one.client.user_agent))}{' (this one)' * one.current}" for one in infos)
    return PAGE.format(escape(session.user_id), session["visits"], devices)


def act(session, verb, name=""):  # where to go then
    if verb == "login" and name:
        session.login(name)
    elif verb == "logout":
        session.logout()
    elif verb == "others" and session.user_id:
        manager.revoke_user(session.user_id, keep=session)
    elif verb == "ticket" and session.user_id:
        return "/file?ticket=" + manager.tickets.issue("download", {"for": session.user_id}, session=session)
    return "/"


class Site:
    def on_get(self, req, resp):
        resp.content_type, resp.text = "text/html; charset=utf-8", home(session_from(req))

    def on_post(self, req, _, verb):
        raise falcon.HTTPSeeOther(act(session_from(req), verb, req.get_media({}).get("name", "")))


def send(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"For {ticket_from(environ).claims['for']}, once.".encode()]


site, files = falcon.App(), TicketGate(send)
site.add_route("/", Site())
site.add_route("/{verb}", Site())
app = SessionMiddleware(lambda env, start: (files if env["PATH_INFO"] == "/file" else site)(env, start), manager)

if __name__ == "__main__":
    make_server("localhost", 8000, app).serve_forever()
