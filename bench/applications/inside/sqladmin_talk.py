"""A small shop with sqladmin's pages and login, used as an administrator would; each step is a result."""

import json
import os
from pathlib import Path

if os.environ.get("COATCHECK_OURS"):
    import starlette_everywhere  # noqa: F401 (before sqladmin imports Starlette's)

from sqladmin import Admin, ModelView
from sqladmin.authentication import AuthenticationBackend
from sqlalchemy import Column, Integer, String, create_engine
from sqlalchemy.orm import declarative_base
from sqlalchemy.pool import StaticPool
from starlette.applications import Starlette
from starlette.testclient import TestClient

Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String)


class UserAdmin(ModelView, model=User):
    column_list = [User.id, User.name]  # noqa: RUF012 (as sqladmin's documentation has it)


class Login(AuthenticationBackend):
    """As sqladmin's documentation has it."""

    async def login(self, request):
        form = await request.form()
        if form["password"] != "right":
            return False
        request.session.update({"token": "ada"})
        return True

    async def logout(self, request):
        request.session.clear()
        return True

    async def authenticate(self, request):
        return "token" in request.session


engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
Base.metadata.create_all(engine)
app = Starlette()
Admin(app, engine, authentication_backend=Login(secret_key="a short key")).add_view(UserAdmin)
results = {}


def step(name, passed):
    """One result."""
    results[name] = "passed" if passed else "failed"


def sign_in(browser, password="right"):
    """What the login page posts."""
    return browser.post("/admin/login", data={"username": "ada", "password": password}, follow_redirects=False)


with (
    TestClient(app, base_url="https://shop.example") as browser,
    TestClient(app, base_url="https://shop.example") as thief,
):
    step("a visitor is sent to the login page", browser.get("/admin/user/list").url.path == "/admin/login")
    step("a wrong password is refused", sign_in(browser, "wrong").status_code == 400)
    step("the right one is let in", sign_in(browser).status_code == 302)
    step("the list opens", browser.get("/admin/user/list").status_code == 200)
    made = browser.post("/admin/user/create", data={"name": "Grace"}, follow_redirects=False)
    step("a row is made", made.status_code == 302 and "Grace" in browser.get("/admin/user/list").text)
    thief.cookies.update(browser.cookies)
    step("a logout is one", browser.get("/admin/logout").url.path == "/admin/login")
    step("after it the list is closed", browser.get("/admin/user/list").url.path == "/admin/login")
    step("a copy of the cookie is worth nothing then", thief.get("/admin/user/list").url.path == "/admin/login")
    step("signing in again works", sign_in(browser).status_code == 302 and browser.get("/admin/").status_code == 200)

Path(os.environ["COATCHECK_RESULTS"]).write_text(json.dumps(results))
