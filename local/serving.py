"""HTTP servers that answer in a thread: what stands in a service's place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer

__all__ = ["serving"]


@contextmanager
def serving(server: HTTPServer) -> Iterator[str]:
    """Let a server that listens on 127.0.0.1 answer in a thread while the context lasts; its address."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
