"""S3 static website hosting: ``http://<bucket>.s3-website.localhost:<port>/``.

Objects are read with the emulator's own GetObject, as a visitor without credentials, so bucket policies and
Block Public Access decide as they do on AWS. What the emulator lacks is everything around it: index and error
documents, redirects and routing rules.
"""

from __future__ import annotations

import html
import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from ministack import app as emulator
from ministack.core import responses
from ministack.core.iam_evaluator import pin_request_origin
from ministack.services import s3

from local.engine.asgi import App, Receive, Scope, Send, request_headers, respond
from local.engine.patching import PATCHES, Patch, pin

__all__ = ["wrap"]

pin(s3, "handle_request", "0856144f19e7")
pin(s3, "_bucket_owner_account", "4352c25646a8")
pin(s3, "_foreign_bucket_allows", "7865eb38b093")
pin(s3, "cors_preflight", "af904eebfd93")
pin(s3, "cors_response_headers", "d37cd83b82b7")

PATCHES.append(
    Patch(
        "*.s3-website.* (middleware)",
        "Website hosting: index and error documents, routing rules for 403 and 404, redirects, CORS.",
    )
)

_HOST = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]*?)\.s3-website[.-]")
# What selects a representation, or what a policy may ask for; never what would sign the read.
_FORWARDED = frozenset(
    [
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "range",
        "user-agent",
        "referer",
    ]
)

type _Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class _Rule:
    """One routing rule; empty fields say nothing."""

    prefix: str
    error: str
    host: str
    protocol: str
    status: str
    replace_prefix: str | None
    replace_key: str | None

    @classmethod
    def of(cls, element: ET.Element) -> _Rule:
        return cls(
            prefix=element.findtext("Condition/KeyPrefixEquals") or "",
            error=element.findtext("Condition/HttpErrorCodeReturnedEquals") or "",
            host=element.findtext("Redirect/HostName") or "",
            protocol=element.findtext("Redirect/Protocol") or "",
            status=element.findtext("Redirect/HttpRedirectCode") or "301",
            replace_prefix=element.findtext("Redirect/ReplaceKeyPrefixWith"),
            replace_key=element.findtext("Redirect/ReplaceKeyWith"),
        )

    def matches(self, key: str, error: int | None) -> bool:
        """Tell whether the rule holds before the read (``error`` None) or for a read that failed."""
        return key.startswith(self.prefix) and self.error == ("" if error is None else str(error))

    def redirect(self, key: str, host: str) -> _Answer:
        # The replacement is taken as it is written: `resize?key=` opens a query. The visitor's part is
        # encoded again, so that whoever decodes the address once gets the very key that was asked for.
        if self.replace_key is not None:
            path = self.replace_key
        elif self.replace_prefix is not None:
            path = self.replace_prefix + _encoded(key[len(self.prefix) :])
        else:
            path = _encoded(key)
        return _redirect(int(self.status), f"{self.protocol or 'http'}://{self.host or host}/{path}")


@dataclass(frozen=True)
class _Website:
    """A bucket's website configuration."""

    bucket: str
    index: str
    error: str
    redirect_host: str
    redirect_protocol: str
    rules: tuple[_Rule, ...]

    @classmethod
    def of(cls, bucket: str, owner: str) -> _Website | None:
        stored = s3._bucket_websites.get_scoped(owner, None, bucket)
        if not stored:
            return None
        root = ET.fromstring(re.sub(r'\sxmlns="[^"]*"', "", stored))  # noqa: S314 - our own bucket's configuration
        return cls(
            bucket=bucket,
            index=root.findtext("IndexDocument/Suffix") or "",
            error=root.findtext("ErrorDocument/Key") or "",
            redirect_host=root.findtext("RedirectAllRequestsTo/HostName") or "",
            redirect_protocol=root.findtext("RedirectAllRequestsTo/Protocol") or "http",
            rules=tuple(map(_Rule.of, root.findall("RoutingRules/RoutingRule"))),
        )

    def routed(self, key: str, host: str, error: int | None = None) -> _Answer | None:
        """Return the redirect of the first rule that matches."""
        return next((rule.redirect(key, host) for rule in self.rules if rule.matches(key, error)), None)

    async def answer(self, method: str, path: str, headers: dict[str, str]) -> _Answer:
        """Answer GET or HEAD of ``path`` (decoded)."""
        key, host = path.removeprefix("/"), headers["host"]
        if self.redirect_host:
            return _redirect(301, f"{self.redirect_protocol}://{self.redirect_host}/{_encoded(key)}")
        if (routed := self.routed(key, host)) is not None:
            return routed
        folder = key == "" or key.endswith("/")
        document = key + self.index if folder else key
        forwarded = {name: headers[name] for name in _FORWARDED if name in headers}
        status, found, body = await self._read(method, document, forwarded)
        if status < 400:
            if location := _header(found, "x-amz-website-redirect-location"):
                return _redirect(301, location)
            return status, found, body
        if status not in (403, 404):  # 412 and 416 are about the request, not about the object
            return _error_page(status, _error_code(body, status), HTTPStatus(status).phrase, document)
        if not folder and (await self._read("HEAD", f"{key}/{self.index}", {}))[0] < 400:
            return _redirect(302, f"/{_encoded(key)}/")
        if status == 404 and not self._public_may_list():
            status = 403  # who may not list a bucket does not learn that an object is missing
        if (routed := self.routed(key, host, status)) is not None:
            return routed
        return await self._error_document(method, status, document)

    async def _error_document(self, method: str, status: int, missing: str) -> _Answer:
        if self.error:
            read, found, body = await self._read(method, self.error, {})
            if read == 200:
                return status, found, body
        if status == 403:
            return _error_page(403, "AccessDenied", "Access Denied", missing)
        return _error_page(404, "NoSuchKey", "The specified key does not exist.", missing)

    async def _read(self, method: str, key: str, headers: dict[str, str]) -> _Answer:
        answer: _Answer = await s3.handle_request(
            method, f"/{self.bucket}/{key}", {"host": "localhost", **headers}, b"", {}
        )
        return answer

    def _public_may_list(self) -> bool:
        owner = s3._bucket_owner_account(self.bucket)
        return bool(s3._foreign_bucket_allows(owner, self.bucket, "", "GET", {"list-type": ["2"]}, "", {}))


def wrap(app: App) -> App:
    """Answer requests to website endpoints; pass all others on."""

    async def website(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = request_headers(scope)
        match = _HOST.match(headers.get("host", "").lower())
        if match is None:
            await app(scope, receive, send)
            return
        status, answer, body = await _serve(match["bucket"], scope, headers)
        await respond(send, status, answer, body, head=scope["method"] == "HEAD")

    return website


async def _serve(bucket: str, scope: Scope, headers: dict[str, str]) -> _Answer:
    method, path = scope["method"], scope["path"]
    owner = s3._bucket_owner_account(bucket)
    if owner is None:
        return _error_page(404, "NoSuchBucket", "The specified bucket does not exist", bucket)
    client = (scope.get("client") or ("127.0.0.1",))[0]
    responses.set_request_account_id(owner)
    responses.set_request_region(s3.bucket_region(bucket))
    responses.set_request_client_ip(client)
    if emulator.AUTH:
        pin_request_origin(client, False)  # policies may ask for aws:SourceIp; a website has no TLS
    if method == "OPTIONS":
        answer: _Answer = s3.cors_preflight(bucket, path.removeprefix("/"), headers)
        return answer
    if method not in ("GET", "HEAD"):
        message = "The specified method is not allowed against this resource."
        status, refusal, body = _error_page(405, "MethodNotAllowed", message, path)
        return status, {**refusal, "allow": "HEAD, GET"}, body
    website = _Website.of(bucket, owner)
    if website is None:
        message = "The specified bucket does not have a website configuration"
        return _error_page(404, "NoSuchWebsiteConfiguration", message, bucket)
    status, found, body = await website.answer(method, path, headers)
    return status, {**found, **s3.cors_response_headers(bucket, method, headers)}, body


def _encoded(key: str) -> str:
    return quote(key, safe="/,~")


def _header(headers: dict[str, str], name: str) -> str:
    return next((value for field, value in headers.items() if field.lower() == name), "")


def _redirect(status: int, location: str) -> _Answer:
    return status, {"location": location}, b""


def _error_code(body: bytes, status: int) -> str:
    found = re.search(rb"<Code>(\w+)</Code>", body)
    return found[1].decode() if found else HTTPStatus(status).phrase.replace(" ", "")


def _error_page(status: int, code: str, message: str, subject: str) -> _Answer:
    title = f"{status} {HTTPStatus(status).phrase}"
    request = uuid.uuid4().hex[:16].upper()
    lines = {"Code": code, "Message": message, "Key": subject, "RequestId": request}
    items = "\n".join(f"<li>{name}: {html.escape(value)}</li>" for name, value in lines.items())
    page = (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n{items}\n</ul>\n<hr/>\n"
        "</body>\n</html>\n"
    )
    headers = {
        "content-type": "text/html; charset=utf-8",
        "x-amz-error-code": code,
        "x-amz-error-message": message,
        "x-amz-request-id": request,
    }
    return status, headers, page.encode()
