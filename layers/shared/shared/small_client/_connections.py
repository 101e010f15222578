"""Connections that are kept alive, and HTTP/1.1 on them.

`http.client` takes twice the time for a request and its answer, half of it for reading headers as those of a
mail.
"""

import select
import socket
import ssl
from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit
from weakref import finalize

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import create_urllib3_context, get_cert_path
from botocore.session import Session

__all__ = ["Answer", "Connections"]

_KEPT = 16  # connections, as in shared.clients
_LONGEST_LINE = 65_536  # bytes, of an answer's head
_AT_ONCE = 65_536  # bytes


class Answer(NamedTuple):
    """An HTTP response, with the names that botocore has for its parts.

    Attributes:
        status_code: 200 or more.
        headers: By their names in lower case.
        content: The body.
    """

    status_code: int
    headers: dict[str, str]
    content: bytes


class Connections:
    """Connections to one endpoint that are kept alive.

    Args:
        url: The endpoint's address.
        connect_timeout: Seconds.
        read_timeout: Seconds to wait for each part of an answer.
    """

    def __init__(self, url: str, connect_timeout: float, read_timeout: float) -> None:
        self._url, self._timeouts = url, (connect_timeout, read_timeout)
        self._kept: deque[_Connection] = deque()
        finalize(self, _close_all, self._kept)

    def send(self, request: bytes) -> Answer:
        """Send a request.

        Raises:
            HTTPClientError: There is no whole answer (also `ReadTimeoutError`, `ConnectionClosedError`).
            ConnectionError: botocore's: there is no connection (also `EndpointConnectionError`,
                `ConnectTimeoutError`, `SSLError`).
        """
        connection = self._alive() or self._open()
        try:
            answer, is_last = connection.exchange(request)
        except (OSError, ValueError) as error:
            connection.close()
            if isinstance(error, TimeoutError):
                raise ReadTimeoutError(endpoint_url=self._url, error=error) from error
            raise ConnectionClosedError(endpoint_url=self._url, error=error) from error
        if is_last or len(self._kept) >= _KEPT:
            connection.close()
        else:
            self._kept.append(connection)
        return answer

    def _alive(self) -> "_Connection | None":
        """A kept connection that the other end has not closed."""
        while True:
            try:
                connection = self._kept.pop()
            except IndexError:
                return None
            if connection.is_alive():
                return connection
            connection.close()

    def _open(self) -> "_Connection":
        try:
            return _Connection(self._url, *self._timeouts)
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=self._url, error=error) from error
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=self._url, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=self._url, error=error) from error


def _close_all(connections: "deque[_Connection]") -> None:
    for connection in connections:
        connection.close()


class _Connection:
    """A connection, and HTTP/1.1 on it: one request after the other.

    https://www.rfc-editor.org/rfc/rfc9112#section-6.3 says where a body ends.
    """

    def __init__(self, url: str, connect_timeout: float, read_timeout: float) -> None:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._socket = socket.create_connection((parts.hostname or "", port), connect_timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if parts.scheme == "https":
            self._socket = _tls().wrap_socket(self._socket, server_hostname=parts.hostname)
        self._socket.settimeout(read_timeout)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._come = bytearray()  # and not read yet

    def is_alive(self) -> bool:
        """Whether nothing has come since the last answer: what comes unasked is the end, or no answer."""
        return not self._come and not self._poll.poll(0)

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def exchange(self, request: bytes) -> tuple[Answer, bool]:
        """Send a request; its answer, and whether it is the last on this connection.

        Raises:
            OSError: The connection has ended, or the answer is late (`TimeoutError`).
            ValueError: What came is no answer.
        """
        self._socket.sendall(request)
        protocol, status, headers = self._head()
        while status < 200:  # a word before the answer
            protocol, status, headers = self._head()
        is_last = protocol != "HTTP/1.1" or "close" in headers.get("connection", "").lower()
        if "chunked" in headers.get("transfer-encoding", "").lower():
            content = b"".join(self._chunks())
        elif "content-length" in headers:
            content = self._bytes(int(headers["content-length"]))
        else:
            content = self._rest()
        return Answer(status, headers, content), is_last

    def _head(self) -> tuple[str, int, dict[str, str]]:
        protocol, status = self._line().split(maxsplit=2)[:2]
        if not protocol.startswith("HTTP/1."):
            raise ValueError("not HTTP/1")
        headers = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return protocol, int(status), headers

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line().partition(";")[0], 16):
            yield self._bytes(size)
            self._line()
        while self._line():  # trailers
            pass

    def _line(self) -> str:
        while (end := self._come.find(b"\n")) < 0:
            if len(self._come) > _LONGEST_LINE:
                raise ValueError("a line without an end")
            self._receive()
        return self._bytes(end + 1).decode("latin-1").rstrip("\r\n")

    def _bytes(self, size: int) -> bytes:
        while len(self._come) < size:
            self._receive()
        taken = bytes(self._come[:size])
        del self._come[:size]
        return taken

    def _rest(self) -> bytes:
        while data := self._socket.recv(_AT_ONCE):
            self._come += data
        return self._bytes(len(self._come))

    def _receive(self) -> None:
        data = self._socket.recv(_AT_ONCE)
        if not data:
            raise ConnectionResetError("closed before the end of an answer")
        self._come += data


@cache
def _tls() -> ssl.SSLContext:
    """botocore's settings, with the certificate authorities that it would take (`AWS_CA_BUNDLE`)."""
    context: ssl.SSLContext = create_urllib3_context()
    context.check_hostname = True
    context.load_verify_locations(get_cert_path(Session().get_config_variable("ca_bundle") or True))
    return context
