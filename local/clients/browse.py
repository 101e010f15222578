"""An HTTP client that finds ``*.localhost`` as browsers do: on this machine, without asking the resolver."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

__all__ = ["session"]


class _LoopbackAdapter(HTTPAdapter):
    """Connects to 127.0.0.1 for names under ``.localhost`` (RFC 6761, 6.3), keeping the Host header."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        asked = request.url or ""
        parts = urlsplit(asked)
        if parts.hostname and parts.hostname.endswith(".localhost"):
            request.headers["Host"] = parts.netloc
            request.url = urlunsplit(parts._replace(netloc=f"127.0.0.1:{parts.port or 80}"))
            try:
                response = super().send(request, *args, **kwargs)
            finally:
                request.url = asked  # a relative redirect is resolved against what was asked for
                del request.headers["Host"]
            response.url = asked
            return response
        return super().send(request, *args, **kwargs)


def session() -> requests.Session:
    """Return a session that ignores proxies and finds ``*.localhost`` on this machine."""
    client = requests.Session()
    client.trust_env = False
    client.mount("http://", _LoopbackAdapter(pool_maxsize=64))
    return client
