"""Sessions in Pyramid. Run python examples/pyramid/app.py, then open http://localhost:8000 ."""

from html import escape
from wsgiref.simple_server import make_server

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.response import Response
from pyramid.wsgi import wsgiapp

from coatcheck import SessionManager
from coatcheck.integrations.pyramid import session_factory
from coatcheck.integrations.wsgi_gate import TicketGate, ticket_from

manager = SessionManager("sqlite:///sessions.db")
SIGN_IN = '<form method="post" action="/login">Your name <input name="name" required> <button>Sign in</button></form>'
PAGE = """<p>{}, visit {}</p><ul>{}</ul><form method="post"><button formaction="/logout">Sign out</button>
<button formaction="/others">Sign out all others</button> <button formaction="/ticket">Download</button></form>"""


def home(request):
    session = request.session
    if session.user_id is None:
        return Response(SIGN_IN)
    session["visits"] = session.get("visits", 0) + 1
    infos = manager.sessions(session.user_id, current=session)
    devices = "".join(f"<li>{escape(str(one.client.user_agent))}{' (this one)' * one.current}" for one in infos)
    return Response(PAGE.format(escape(session.user_id), session["visits"], devices))


def button(request):
    session, verb, place = request.session, request.matchdict["verb"], "/"
    if verb == "login" and request.POST.get("name"):
        session.login(request.POST["name"])
    elif verb == "logout":
        session.logout()
    elif verb == "others" and session.user_id:
        manager.revoke_user(session.user_id, keep=session)
    elif verb == "ticket" and session.user_id:
        place = "/file?ticket=" + manager.tickets.issue("download", {"for": session.user_id}, session=session)
    return HTTPSeeOther(place)


def send(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"For {ticket_from(environ).claims['for']}, once.".encode()]


with Configurator() as config:
    config.include("coatcheck.integrations.pyramid")
    config.set_session_factory(session_factory(manager))
    [config.add_route(*route) for route in (("home", "/"), ("file", "/file"), ("button", "/{verb}"))]
    config.add_view(home, route_name="home")
    config.add_view(button, route_name="button", request_method="POST")
    config.add_view(wsgiapp(TicketGate(send)), route_name="file")
    app = config.make_wsgi_app()

if __name__ == "__main__":
    make_server("localhost", 8000, app).serve_forever()
