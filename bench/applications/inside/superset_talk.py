"""Apache Superset, used as somebody who draws charts would; each step is a result."""

import html
import json
import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

folder = TemporaryDirectory()
settings = Path(folder.name, "superset_config.py")
settings.write_text(
    f"SECRET_KEY = 'a key of many letters, for a try alone'\nSQLALCHEMY_DATABASE_URI = 'sqlite:///{folder.name}/superset.db'\n"
    "LANGUAGES = {'en': {'flag': 'us', 'name': 'English'}, 'fr': {'flag': 'fr', 'name': 'French'}}\n"
)
if os.environ.get("COATCHECK_OURS"):
    with settings.open("a") as file:
        # Superset's own way to add an extension: a setting that is called with the application.
        file.write("from coatcheck.integrations.flask import Coatcheck as FLASK_APP_MUTATOR\n")
        file.write("COATCHECK_STORE = 'memory://'\n")
os.environ |= {
    "SUPERSET_CONFIG_PATH": str(settings),
    "SUPERSET_HOME": folder.name,
    "FLASK_APP": "superset.app:create_app()",
}

from superset.app import create_app  # noqa: E402 (reads its settings when it is imported)

app = create_app()
with app.app_context():
    from flask_migrate import upgrade

    upgrade(directory=str(Path(app.root_path, "migrations")))
    app.appbuilder.add_permissions(update_perms=True)
    app.appbuilder.sm.sync_role_definitions()
    admin = app.appbuilder.sm.find_role("Admin")
    app.appbuilder.sm.add_user("ada", "Ada", "L", "ada@superset.example", admin, password="right")

BASE = "https://superset.example"
results = {}


def step(name, passed):
    """One result."""
    results[name] = "passed" if passed else "failed"


def browser():
    """A browser of its own."""
    client = app.test_client()
    client.environ_base["HTTP_REFERER"] = f"{BASE}/"  # Flask-WTF asks for it over https
    return client


def sign_in(client, password="right"):
    """What the login page posts."""
    page = client.get("/login/", base_url=BASE).text
    token = re.search(r'id="csrf_token"\s+value="([^"]+)"', page)
    data = {"username": "ada", "password": password, "csrf_token": token[1] if token else ""}
    return client.post("/login/", base_url=BASE, data=data)


mine, thief = browser(), browser()


def opens():
    """Whether the session is a signed-in one."""
    return mine.get("/api/v1/me/", base_url=BASE).status_code == 200


def look(path):
    """A page as a person sees it."""
    return html.unescape(mine.get(path, base_url=BASE).text)


first = mine.get("/superset/welcome/", base_url=BASE)
step("a visitor is sent to the login page", first.status_code == 302 and "/login" in first.location)
wrong = sign_in(mine, "wrong")
step("a wrong password is refused", wrong.status_code in (200, 302) and not opens())
with mine.session_transaction(base_url=BASE) as session:
    step("and told by a message that waits for the next page", "Invalid login" in str(session.get("_flashes")))
step("the right one is let in", sign_in(mine).status_code == 302 and opens())
step("the first page opens", mine.get("/superset/welcome/", base_url=BASE).status_code == 200)
mine.get("/lang/fr", base_url=BASE)
step("a language is kept", '"locale": "fr"' in look("/superset/welcome/"))
chart = {"dashboard_title": "Engines"}
step(
    "a form without its token is refused", mine.post("/api/v1/dashboard/", base_url=BASE, json=chart).status_code == 400
)
token = mine.get("/api/v1/security/csrf_token/", base_url=BASE).json["result"]
made = mine.post("/api/v1/dashboard/", base_url=BASE, json=chart, headers={"X-CSRFToken": token})
step("with it a dashboard is made", made.status_code == 201)
step("and listed", mine.get("/api/v1/dashboard/", base_url=BASE).json["count"] == 1)
thief._cookies.update(mine._cookies)  # noqa: SLF001 (it has no other way)
step("a copy of the cookie opens as much", thief.get("/api/v1/me/", base_url=BASE).status_code == 200)
step("a logout is one", mine.get("/logout/", base_url=BASE).status_code == 302 and not opens())
step("a copy of the cookie is worth nothing then", thief.get("/api/v1/me/", base_url=BASE).status_code == 401)
step("signing in again works", sign_in(mine).status_code == 302 and opens())

Path(os.environ["COATCHECK_RESULTS"]).write_text(json.dumps(results))
