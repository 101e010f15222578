"""Browsers at the sign-on pages: their cookie, the person's session behind it, and what protects forms.

A cookie is 48 random bytes, of which a log-in replaces the first 16 by the person's id: the session lies
among the person's other items, and ends with them when the password
is changed or the account is erased or merged. A log-in always makes a new cookie, so a planted one is worth
nothing afterwards.

A form carries an HMAC over the cookie and over everything that it will be asked to do. Somebody else's page
knows neither.
"""

import hmac
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from secrets import token_bytes, token_hex
from urllib.parse import urlsplit
from uuid import UUID

from shared.http import Request

from ..services import Services
from ..storage import BrowserSession, User, Write, cookie_hash

__all__ = ["SESSION_S", "Browser", "cookie"]

SESSION_S = 12 * 3600
_USER_BYTES = 16
_RANDOM_BYTES = 32
_COOKIE = re.compile(r"[A-Za-z0-9_-]{64}")


@dataclass(frozen=True)
class Browser:
    """A browser, and who is signed in there.

    Attributes:
        value: The value of its cookie.
        known: Whether it sent the cookie, or must be given it.
        user: Who is signed in; empty for nobody.
        auth_time: When they signed in, seconds since the epoch.
        sid: Name of the session, which stays when the same person logs in again; in ID tokens too.
        epoch: The account's, at which they are signed in.
        cleaned: The epoch at which the account was begun anew.
    """

    value: str
    known: bool
    user: str = ""
    auth_time: int = 0
    sid: str = ""
    epoch: str = ""
    cleaned: str = ""

    @classmethod
    def of(cls, services: Services, request: Request) -> "Browser":
        """The browser that sent a request."""
        name = _name(services.issuer)
        pairs = (part.strip().partition("=") for part in request.headers.get("cookie", "").split(";"))
        value = next((value for each, _, value in pairs if each == name), "")
        if not _COOKIE.fullmatch(value):
            return cls(_encode(token_bytes(_USER_BYTES + _RANDOM_BYTES)), known=False)
        user = str(UUID(bytes=urlsafe_b64decode(value)[:_USER_BYTES]))
        session = services.store.browsers.get(user, value)
        person = services.store.users.get(user) if session else None
        if session is None or person is None or session.epoch != person.epoch:
            return cls(value, known=True)
        return cls(value, True, user, session.auth_time, session.sid, session.epoch, person.cleaned)

    def begin(self, services: Services, user: User) -> tuple["Browser", list[Write]]:
        """The browser after a log-in, and the writes that make it so.

        Args:
            services: The services.
            user: Who logged in.
        """
        now = int(services.now())
        value = _encode(UUID(user.id).bytes + token_bytes(_RANDOM_BYTES))
        sid = self.sid if self.user == user.id else token_hex(16)
        made = Browser(value, False, user.id, now, sid, user.epoch, user.cleaned)
        session = BrowserSession(user.id, cookie_hash(value), now, sid, now + SESSION_S, user.epoch)
        writes = [services.store.browsers.create(session)]
        if self.user:
            writes.append(services.store.browsers.delete(self.user, cookie_hash(self.value)))
        return made, writes

    def seal(self, services: Services, *parts: str) -> str:
        """What a form carries to show that we made it for this browser.

        Args:
            services: The services.
            parts: What the form does, and all that it carries unchanged.
        """
        text = json.dumps(["form", self.value, *parts]).encode()
        return _encode(hmac.digest(services.keyring.refresh_key(), text, "sha256"))

    def sealed(self, services: Services, seal: str, *parts: str) -> bool:
        """Whether a form is ours, was made for this browser, and does what it was made for."""
        return self.known and hmac.compare_digest(self.seal(services, *parts).encode(), seal.encode())


def cookie(issuer: str, value: str) -> str:
    """A `Set-Cookie` header; an empty value makes the browser forget the cookie.

    Args:
        issuer: Base address of the API.
        value: The value.
    """
    address = urlsplit(issuer)
    # `__Host-` keeps other hosts and plain HTTP from setting it; it wants Secure and the path /.
    place = "Path=/; Secure" if address.scheme == "https" else f"Path={address.path}/oauth2"
    lasting = "" if value else "; Max-Age=0"
    return f"{_name(issuer)}={value}; {place}; HttpOnly; SameSite=Lax{lasting}"


def _name(issuer: str) -> str:
    return "__Host-sign-on" if issuer.startswith("https:") else "sign-on"


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
