"""Sessions in Bottle. Run python examples/bottle/app.py, then open http://localhost:8000 ."""

from html import escape

from bottle import Bottle, redirect, request, response, run

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


site, files = Bottle(), Bottle()
site.get("/", callback=lambda: home(session_from(request)))


@site.post("/<verb>")
def button(verb):
    redirect(act(session_from(request), verb, request.forms.name), 303)


@files.route("/", method=["GET", "POST"])
def send():
    response.content_type = "text/plain; charset=utf-8"
    return f"For {ticket_from(request).claims['for']}, once."


site.mount("/file", TicketGate(files))
app = SessionMiddleware(site, manager)

if __name__ == "__main__":
    run(app, port=8000)
