"""How the certificates of SNS are fetched, from servers of the test's own."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from event_hub.sns_certificates import MAX_BYTES, loader
from event_hub.sns_signature import NotVerifiedError

ANSWERS = {
    "/certificate.pem": (200, b"a certificate"),
    "/missing.pem": (404, b""),
    "/moved.pem": (301, b""),
    "/endless.pem": (200, b"x" * (MAX_BYTES + 1)),
}


class Server(ThreadingHTTPServer):
    """Remembers the paths that it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.base = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, body = ANSWERS[self.path]
        self.send_response(status)
        self.send_header("Location", f"{self.server.base}/certificate.pem")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_certificate_is_fetched_once(server: Server) -> None:
    fetch = loader(server.base)
    assert [fetch(f"{server.base}/certificate.pem") for _ in range(3)] == [b"a certificate"] * 3
    assert server.asked == ["/certificate.pem"]


@pytest.mark.parametrize("path", ["/missing.pem", "/moved.pem", "/endless.pem"])
def test_failure_is_said_and_not_remembered(server: Server, path: str) -> None:
    fetch = loader(server.base)
    for _ in range(2):
        with pytest.raises((OSError, NotVerifiedError), match=r"no certificate|certificate_unusable"):
            fetch(server.base + path)
    assert server.asked == [path, path]


def test_invented_certificate_is_the_messages_fault_and_not_the_hosts(server: Server) -> None:
    with pytest.raises(NotVerifiedError, match="certificate_unusable"):
        loader(server.base)(f"{server.base}/missing.pem")


def test_without_an_engine_there_is_no_plain_http(server: Server) -> None:
    with pytest.raises(OSError, match="https alone"):
        loader()(f"{server.base}/certificate.pem")
    assert server.asked == []


def test_host_has_to_show_a_trusted_certificate(server: Server, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    pem = builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    pem += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "server.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with pytest.raises(ssl.SSLCertVerificationError):
        loader()(f"https://127.0.0.1:{server.server_port}/certificate.pem")
    assert server.asked == []
