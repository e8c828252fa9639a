"""A page of `coatcheck.pages` in Quart.

app.register_blueprint(pages(Devices(login_url="/login"), "devices"), url_prefix="/account/devices")
"""

from __future__ import annotations

import quart

from ..pages import MAX_BODY, Ask, Page, answer_async, base_of, fields, too_large
from .quart import manager_from, session_from


def pages(page: Page, name: str) -> quart.Blueprint:
    """A blueprint with that name."""
    made = quart.Blueprint(name, __name__)

    async def view(below: str = "", **_: object) -> quart.Response:
        request = quart.request
        body = bytearray()
        if request.method == "POST":
            async for piece in request.body:
                body += piece
                if len(body) > MAX_BODY:
                    break
        if len(body) > MAX_BODY:
            found = too_large()
        else:
            whole = f"{request.root_path}{request.path}"
            ask = Ask(
                method=request.method,
                path=f"/{below}",
                base=base_of(whole, below),
                session=session_from(),
                query=request.args.to_dict(),
                form=fields(bytes(body)),
            )
            found = await answer_async(page, ask, manager_from())
        return quart.Response(found.body, found.status, dict(found.text_headers))

    for rule in ("/", "/<path:below>"):
        made.add_url_rule(rule, "page", view, methods=["GET", "POST"])
    return made
