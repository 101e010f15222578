"""The root of the engine's port for somebody with a browser; for everybody else it is S3's ListBuckets.

``GET /`` on the bare host with ``Accept: text/html`` leads to the pages of the stack that was deployed last
(its output `WebUrl`), or says what deploys one. SDKs sign what they send, and do not accept HTML.
"""

from __future__ import annotations

import os
import re

from ministack.core import responses
from ministack.services import cloudformation

from local.engine.asgi import App, Receive, Scope, Send, request_headers, respond

__all__ = ["wrap"]

_BARE = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Serverless suite: local engine</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
</style></head>
<body><h1>The local engine is up</h1>
<p>The suite is not deployed to it yet. <code>make up</code> deploys it; <code>make demo</code> drives every
application, too. Then this address leads to its pages.</p></body></html>
"""


def wrap(app: App) -> App:
    """Answer browsers at the root; pass all other requests on."""

    async def start_page(scope: Scope, receive: Receive, send: Send) -> None:
        if not _wants_page(scope):
            await app(scope, receive, send)
            return
        head, headers = scope["method"] == "HEAD", {"cache-control": "no-store", "vary": "Accept"}
        if pages := _pages():
            await respond(send, 302, {**headers, "location": f"{pages}/"}, head=head)
        else:
            page = {**headers, "content-type": "text/html; charset=utf-8"}
            await respond(send, 200, page, _PAGE.encode(), head=head)

    return start_page


def _wants_page(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or scope["path"] != "/":
        return False
    headers = request_headers(scope)
    signed = scope["query_string"] or "authorization" in headers
    html = "text/html" in headers.get("accept", "")
    return html and not signed and _BARE.fullmatch(headers.get("host", "").lower()) is not None


def _pages() -> str:
    """Return the address of the pages of the stack that was deployed last; empty if there is none."""
    responses.set_request_account_id(os.environ["MINISTACK_ACCOUNT_ID"])
    responses.set_request_region(os.environ["MINISTACK_REGION"])
    found = ""
    for stack in cloudformation._stacks.values():  # in the order in which they were created
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
        found = outputs.get("WebUrl") or found
    return str(found)
