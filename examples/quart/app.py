"""Sessions in Quart. Run python examples/quart/app.py, then open http://localhost:8000 ."""

from quart import Quart, Response, redirect, render_template_string, request, session

from coatcheck.integrations.quart import Coatcheck, manager_from, ticket_from, ticket_gate

app = Quart(__name__)
app.config["COATCHECK_STORE"] = "sqlite:///sessions.db"
Coatcheck(app)

PAGE = """<!doctype html><title>Coatcheck</title><form method="post">
{% if session.user_id %}<p>{{ session.user_id }}, visit {{ session.visits }}</p>
<ul>{% for one in devices %}<li>{{ one.client.user_agent }}{{ " (this one)" if one.current }}</li>{% endfor %}</ul>
<button formaction="/logout">Sign out</button> <button formaction="/others">Sign out all others</button>
<button formaction="/ticket">Download</button>
{% else %}Your name <input name="name" required> <button formaction="/login">Sign in</button>{% endif %}</form>"""


@app.get("/")
async def home():
    devices = []
    if session.user_id:
        session["visits"] = session.get("visits", 0) + 1
        devices = await manager_from().sessions(session.user_id, current=session)
    return await render_template_string(PAGE, devices=devices)


@app.post("/login")
async def login():
    session.login((await request.form)["name"])
    return redirect("/", 303)


@app.post("/logout")
async def logout():
    session.logout()
    return redirect("/", 303)


@app.post("/<any(others, ticket):verb>")
async def act(verb):
    target = "/"
    if session.user_id and verb == "others":
        await manager_from().revoke_user(session.user_id, keep=session)
    elif session.user_id:
        claims = {"for": session.user_id}
        target = "/file?ticket=" + await manager_from().tickets.issue("download", claims, session=session)
    return redirect(target, 303)


@app.route("/file", methods=["GET", "POST"])
@ticket_gate()
async def file():
    return Response(f"For {ticket_from().claims['for']}, once.", content_type="text/plain; charset=utf-8")


if __name__ == "__main__":
    app.run(port=8000)
