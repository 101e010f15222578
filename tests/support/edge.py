"""An HTTPS front before the local engine: CloudFront and API Gateway, as the template configures them.

Its hosts are names under `.test`, to which a browser is led by `--host-resolver-rules`: `localhost` and
127.0.0.1 are trustworthy with HTTP too, and nothing would be blocked there as mixed content
(https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy).
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import http.client
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.serving import serving
from local.suite import Suite
from tests.support.node import EdgeFunction, edge_function
from tests.support.template import transformed

__all__ = ["API", "IMAGES", "PAGES", "Front", "fronting"]

PAGES, IMAGES, API = "pages.suite.test", "images.suite.test", "api.suite.test"
_RESOURCES = transformed("aws")["Resources"]
_CORS = _RESOURCES["ImagesHeadersPolicy"]["Properties"]["ResponseHeadersPolicyConfig"]["CorsConfig"]
_DEFAULT_TTL = _RESOURCES["ImagesCachePolicy"]["Properties"]["CachePolicyConfig"]["DefaultTTL"]

type Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Front:
    """A running front.

    Attributes:
        port: Where it listens on 127.0.0.1, for every host.
        fingerprint: Of its certificate's key, as Chromium's `--ignore-certificate-errors-spki-list` takes it.
        asked: Host and path of every request, in order.
        others: Pages of other sites by their host.
    """

    suite: Suite
    functions: dict[str, EdgeFunction]
    port: int = 0
    fingerprint: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    others: dict[str, str] = field(default_factory=dict)
    _kept: dict[str, Answer] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, host: str, path: str, headers: Any) -> Answer:
        """Answer one request of a browser."""
        self.asked.append((host, path))
        if host in self.others:
            return 200, {"content-type": "text/html"}, f"<!doctype html>{self.others[host]}".encode()
        if host == API:
            status, found, body = self._origin(
                method, path, urlsplit(self.suite.engine.endpoint).netloc, headers
            )
            return status, found, body
        if method not in ("GET", "HEAD"):  # the distributions' methods
            return 403, {}, b""
        with self._lock:
            told = self.functions[host](urlsplit(path).path, headers.get_all("Accept") or [])
        if "statusCode" in told:
            return told["statusCode"], {name: told["headers"][name]["value"] for name in told["headers"]}, b""
        return self._pages(told["uri"]) if host == PAGES else self._images(told["uri"], headers)

    def _pages(self, path: str) -> Answer:
        return self._origin("GET", path, urlsplit(self.suite["WebUrl"]).netloc, {})

    def _images(self, path: str, headers: Any) -> Answer:
        """Without the query, and with neither Origin nor Accept, as the cache policy says."""
        hit = path in self._kept
        website = f"{self.suite['ImagesBucketName']}.s3-website.localhost:{self.suite.engine.port}"
        status, found, body = self._kept.get(path) or self._origin("GET", path, website, {})
        age = re.search(r"max-age=(\d+)", found.get("cache-control", ""))
        if (int(age[1]) if age else _DEFAULT_TTL) > 0:
            self._kept[path] = status, found, body
        shown = {name: value for name, value in found.items() if not name.startswith("access-control-")}
        shown["x-cache"] = f"{'Hit' if hit else 'Miss'} from cloudfront"
        if headers["Origin"]:
            (shown["access-control-allow-origin"],) = _CORS["AccessControlAllowOrigins"]["Items"]
            shown["access-control-expose-headers"] = ",".join(_CORS["AccessControlExposeHeaders"]["Items"])
        return status, shown, body

    def _origin(self, method: str, path: str, host: str, headers: Any) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.suite.engine.port, timeout=30)
        sent = {name: headers[name] for name in ("Accept", "Origin") if headers and headers[name]}
        connection.request(method, path, headers={"Host": host, **sent})
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        for name in ("connection", "content-length", "date", "server", "transfer-encoding"):
            found.pop(name, None)
        # On AWS the routing rule names API Gateway's own host, by https.
        if "location" in found:
            found["location"] = found["location"].replace(self.suite.engine.endpoint, f"https://{API}")
        body = answer.read()
        connection.close()
        return answer.status, found, body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front: ClassVar[Front]

    def do_GET(self) -> None:
        host = self.headers["Host"].partition(":")[0]
        status, headers, body = self.front.answer(self.command, host, self.path, self.headers)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - as http.server wants it
    do_OPTIONS = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002


@contextmanager
def fronting(suite: Suite, directory: Path) -> Iterator[Front]:
    """Serve the pages, the images and the API of a suite by HTTPS; skips the test without Node.js."""
    with ExitStack() as stack:
        functions = {
            PAGES: stack.enter_context(edge_function(_code("WebIndexFunction"))),
            IMAGES: stack.enter_context(edge_function(_code("ImagesAutoFunction"))),
        }
        front = Front(suite, functions)
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"front": front}))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate, front.fingerprint = _certificate(directory)
        context.load_cert_chain(certificate)
        # The handshake is the handler's, or a browser's idle connection would stop all others.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        front.port = server.server_port
        stack.enter_context(serving(server))
        yield front


def _code(function: str) -> str:
    code = _RESOURCES[function]["Properties"]["FunctionCode"]
    return code if isinstance(code, str) else code["Fn::Join"][1][0]


def _certificate(directory: Path) -> tuple[Path, str]:
    """A self-signed certificate for the hosts with its key, and the fingerprint of that."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "suite.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.suite.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = directory / "front.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return path, base64.b64encode(hashlib.sha256(public).digest()).decode()
