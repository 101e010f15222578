"""The portal's API, the APIs it sells, and their documents, answering as a test says; for the page alone."""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Request, Route

from ops.api_documents import api_documents
from tests.browser.visitors import HEADERS, FakeVisitors

__all__ = ["CREATED", "VALUE", "FakePortal", "Sent", "a_key", "a_subscription", "documents"]

VALUE = "q8Xw2hJv5mTzR4nKc7Yb1dLs9gPf3aEu6iOt0xWk"
"""Of every key that the fake makes."""

CREATED = 1795161600.25
"""2026-11-20 08:00 UTC; moments are seconds since the epoch."""

PLANS: list[dict[str, Any]] = [
    {"name": "free", "title": "Free", "description": "Both APIs, to try them.", "apis": ["images", "rides"],
     "throttle": {"rate": 1, "burst": 5}, "quota": {"limit": 1000, "period": "MONTH"},
     "sold": False, "meter": "none", "listing": ""},
    {"name": "images", "title": "Images", "description": "Pictures in any size.", "apis": ["images"],
     "throttle": {"rate": 10, "burst": 20}, "quota": {"limit": 100_000, "period": "MONTH"},
     "sold": True, "meter": "records", "listing": "https://aws.amazon.com/marketplace/pp/prodview-images"},
    {"name": "fleet", "title": "Fleet", "description": "Where every unicorn is.", "apis": ["rides"],
     "throttle": {"rate": 10, "burst": 20}, "quota": {"limit": 100_000, "period": "MONTH"},
     "sold": False, "meter": "none", "listing": ""},
]  # fmt: skip

# What is sold of an API, as its own document has it.
_IMAGES: dict[str, Any] = {
    "openapi": "3.0.1",
    "info": {"title": "Image resizer", "version": "1.0", "description": "Pictures in any size and format."},
    "paths": {
        "/resize": {"get": {
            "summary": "Make a variant, then redirect to it",
            "responses": {"302": {"description": "Where it is"}},
        }},
        "/v1/variants": {
            "get": {
                "summary": "Make a variant of an image", "security": [{"api_key": []}],
                "parameters": [{"name": "key", "in": "query", "required": True, "schema": {"type": "string"},
                                "description": "For example `300x300,webp/blue_marble.jpg`, "
                                "for example `300x/globe.png`"}],
                "responses": {
                    "200": {"description": "The variant", "content": {"application/json": {
                        "schema": {"$ref": "#/components/schemas/Variant"}}}},
                    "403": {"description": "The key is not accepted"},
                },
            },
            "options": {"responses": {"204": {"description": "CORS"}}},
        },
    },
    "components": {
        "securitySchemes": {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}},
        "schemas": {"Variant": {"type": "object", "required": ["url"], "properties": {
            "url": {"type": "string", "format": "uri"}, "key": {"type": "string"}}}},
    },
}  # fmt: skip


def documents(api: str) -> dict[str, Any]:
    """The documents of the catalogue: the suite's own, but of what is sold."""
    made = api_documents(
        {"RidesApiUrl": f"{api}/rides", "AuthApiUrl": f"{api}/auth", "HubApiUrl": f"{api}/hub"}
    )
    return {"images": _IMAGES | {"servers": [{"url": f"{api}/images"}]}, **made}


def a_key(name: str = "Shop", **more: Any) -> dict[str, Any]:
    """A key as the API lists it."""
    key = {"id": "00000000-0000-4000-8000-000000000001", "name": name, "plan": "free", "subscription": "",
           "state": "active", "last4": VALUE[-4:], "created": CREATED}  # fmt: skip
    return key | more


def a_subscription(state: str = "active", **more: Any) -> dict[str, Any]:
    """A subscription as the API lists it."""
    usage = [{"hour": "2026-11-28T02", "quantity": 34, "state": "pending"},
             {"hour": "2026-11-28T01", "quantity": 1200, "state": "sent"}]  # fmt: skip
    made = {"id": "l-0f3k2mexample", "plan": "images", "state": state, "since": CREATED,
            "usage": usage}  # fmt: skip
    return made | more


@dataclass(frozen=True)
class Sent:
    """A request that the page sent."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]


class FakePortal(FakeVisitors):
    """What stands behind the page.

    Attributes:
        plans, keys, subscriptions: As the API lists them; requests change the keys.
        usage: What it answers about a plan.
        answers: By method and path, the status and the body of an answer that is none of these; status 0 is
            no answer.
        sent: Requests to the portal's API and to the APIs that it sells, in their order.
    """

    path = "portal/"

    def __init__(self, page: Page, pages: str) -> None:
        super().__init__(page, pages)
        self.plans = deepcopy(PLANS)
        self.keys: list[dict[str, Any]] = []
        self.subscriptions: list[dict[str, Any]] = []
        self.usage: dict[str, Any] = {}
        self.answers: dict[str, tuple[int, Any]] = {}
        self.sent: list[Sent] = []
        self.documents = documents(self.api)
        self.config |= {"PortalApiUrl": f"{self.api}/live", "ApiDocuments": list(self.documents)}
        page.route("**/portal/apis/*.json", self._document)
        for called in ("live", "images", "rides", "auth", "hub"):
            page.route(f"**/fake/{called}/**", self._api)

    def calls(self, wanted: str) -> list[Sent]:
        """The requests of a method and a path."""
        return [each for each in self.sent if f"{each.method} {each.path}" == wanted]

    def _document(self, route: Route) -> None:
        name = urlsplit(route.request.url).path.rpartition("/")[2].removesuffix(".json")
        self.answer(route, 200, self.documents[name])

    def _api(self, route: Route) -> None:
        request = route.request
        url = urlsplit(request.url)
        path = "/" + url.path.partition("/fake/")[2].partition("/")[2]
        headers = request.all_headers() if request.method != "OPTIONS" else {}
        self.sent.append(Sent(request.method, path, _body(request), headers))
        status, body = self.answers.get(f"{request.method} {path}") or self._answer(
            request.method, path, url.query
        )
        if status == 0:
            route.abort()
        elif isinstance(body, bytes):
            route.fulfill(status=status, body=body, content_type="application/zip", headers=HEADERS)
        else:
            self.answer(route, status, body)

    def _answer(self, method: str, path: str, query: str) -> tuple[int, Any]:
        match method, path.strip("/").split("/"):
            case "GET", ["v1", "plans"]:
                return 200, {"plans": self.plans}
            case "GET", ["v1", "keys"]:
                return 200, {"keys": self.keys}
            case "GET", ["v1", "subscriptions"]:
                return 200, {"subscriptions": self.subscriptions}
            case "GET", ["v1", "usage"]:
                return 200, {"plan": parse_qs(query)["plan"][0], **self.usage}
            case "POST", ["v1", "keys"]:
                return self._made(a_key(**self.sent[-1].body))
            case "POST", ["v1", "keys", key_id, "rotate"]:
                return self._rotated(key_id, self.sent[-1].body)
            case "POST", ["v1", "keys", key_id, "revoke"]:
                [key] = [each for each in self.keys if each["id"] == key_id]
                key["state"] = "revoked"
                return 200, key
            case "POST", ["v1", "registrations"]:
                self.subscriptions = [a_subscription()]
                return 201, {"subscription": self.subscriptions[0]}
            case "GET", ["v1", "variants"]:
                return 200, {"url": "https://images.example.org/300x/globe.png", "key": "300x/globe.png"}
        return 404, {"code": "not_found", "message": "There is nothing here"}

    def _made(self, key: dict[str, Any]) -> tuple[int, Any]:
        self.keys.append(key)
        return 201, key | {"value": VALUE}

    def _rotated(self, key_id: str, body: dict[str, Any]) -> tuple[int, Any]:
        [old] = [each for each in self.keys if each["id"] == key_id]
        old["ends"] = time.time() + 3600 * body["hours"]
        new: dict[str, Any] = {name: body[name] for name in ("id", "plan", "subscription") if name in body}
        old_name = {name: old[name] for name in ("name", "plan", "subscription")}
        return self._made(a_key(**(old_name | new)))


def _body(request: Request) -> Any:
    return request.post_data_json if request.post_data else None
