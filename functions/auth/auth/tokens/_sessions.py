"""Sessions: families of refresh tokens, one for each log-in of a person at a client.

A session is good while the account is at the epoch at which it began (see `identity.new_epoch`), and while
its client is registered as it was then.

A family's item knows the number of its newest token. Exchanging the newest raises the number; the successor
is derived, so the same token exchanged again within 30 seconds (a retry, or many requests side by side)
gives the same successor. An older token is a stolen one: its family ends, and no other.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from secrets import token_hex
from typing import Any, Protocol

from shared.http import BadRequestError, UnauthorizedError

from ..storage import LostRaceError, Once, Session, Store, User, Write
from ._jwts import InvalidTokenError
from ._tokens import RefreshToken, Tokens

__all__ = ["ACCOUNT", "MOST_SESSIONS", "Sessions"]

GRACE_MS = 30_000
MOST_SESSIONS = 50
"""Of one person at a time; and of browsers at the sign-on pages as many."""
ACCOUNT = "account"
"""The scope of tokens that a company's server gets for a person at a log-in."""
_SOON_S = 900  # the longest life of a session that cannot be refreshed
_DAY_S = 86_400
_TRIES = 4


class Holder(Protocol):
    """Whom tokens are given to, a client.

    Attributes:
        id: Its name.
        registration: Name of its registration.
        resources: Whom its access tokens may be for, the default first.
        sign_on_scopes: What it may ask people for.
    """

    @property
    def id(self) -> str: ...
    @property
    def registration(self) -> str: ...
    @property
    def resources(self) -> tuple[str, ...]: ...
    @property
    def sign_on_scopes(self) -> frozenset[str]: ...


class Sessions:
    """Begins, refreshes and ends sessions.

    Args:
        store: The users table.
        tokens: Makes and reads the tokens.
        find: Gives the client of a name, as it is registered now.
        idle_days: Days after which an unused refresh token dies.
        days: Days after which a session ends whatever happens.
        now: Seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        find: Callable[[str], Holder | None],
        idle_days: int,
        days: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._tokens, self._find, self._now = store, tokens, find, now
        self._idle_s, self._longest_s = _DAY_S * idle_days, _DAY_S * days

    def begin(
        self,
        user: User,
        client: Holder,
        scope: str,
        auth_time: int,
        *,
        sid: str = "",
        audience: str = "",
        lasting: bool = True,
    ) -> tuple[str, Write, dict[str, Any]]:
        """A new session, good at the account's epoch.

        Args:
            user: Whose; the transaction has to check that the account is still at this epoch.
            client: Who may refresh it.
            scope: Scopes of its access tokens, parted by blanks.
            auth_time: When the person logged in, seconds since the epoch.
            sid: The browser session that it comes from; empty for none.
            audience: Whom its access tokens are for; empty for the client's default.
            lasting: Whether it can be refreshed; else it ends with its one access token.

        Returns:
            The family, its write, and the tokens that count once it is written.
        """
        now = int(self._now())
        life = self._idle_s if lasting else self._tokens.seconds
        session = Session(
            user.id, token_hex(16), client.id, scope, began=now, auth_time=auth_time, expires=now + life,
            sid=sid, epoch=user.epoch, registration=client.registration,
            audience=audience or client.resources[0],
        )  # fmt: skip
        answer = self._answer(session, 0, scope)
        if not lasting:
            del answer["refresh_token"]
        return session.family, self._store.sessions.create(session), answer

    def refresh(
        self, text: str, client: Holder, once: Once | None = None, *, scope: str = "", resource: str = ""
    ) -> tuple[Session, dict[str, Any]]:
        """Exchange a refresh token.

        Args:
            text: The token.
            client: Who asks; it must be who got it.
            once: The request.
            scope: Scopes that are asked for, parted by blanks; each must have been granted. None of them: all
                that were. The next refresh may ask for more again (RFC 6749, 6: the token's scope stays).
            resource: Whom the access token has to be for; empty for what was granted.

        Returns:
            The session as it was, and the new tokens.

        Raises:
            UnauthorizedError: It is not good, or was stolen: then its family has ended.
            BadRequestError: More is asked for than was granted; the token stays good.
        """
        try:
            token = self._tokens.read_refresh(text)
        except InvalidTokenError as error:
            raise _invalid() from error
        for _ in range(_TRIES):
            session = self.live(token.user, token.family)
            if session is None or session.client != client.id or self._is_over(session):
                raise _invalid()
            now = self._now()
            unchanged = self._store.users.epoch_is(token.user, session.epoch)
            if not set(scope.split()) <= set(session.scope.split()):
                raise BadRequestError("invalid_scope", "scope has more than was granted.")
            if resource not in ("", session.audience):
                raise BadRequestError("invalid_target", "resource is not the one that was granted.")
            narrowed = [each for each in session.scope.split() if each in scope.split()]
            answer = self._answer(session, token.number + 1, " ".join(narrowed) or session.scope)
            now_ms = int(1000 * now)
            if token.number == session.number:
                rotated = self._store.sessions.rotate(*token, now_ms, int(now) + self._idle_s)
                try:
                    self._store.commit(rotated, unchanged, once=once)
                except LostRaceError:
                    continue  # somebody exchanged it, or ended the session, meanwhile
                return session, answer
            if token.number == session.number - 1 and now_ms - session.rotated_ms <= GRACE_MS:
                self._store.commit(once=once)
                return session, answer
            ended = self._store.sessions.delete(token.user, token.family)
            reuse = self._store.audit.add(token.user, "refresh", client.id, "reused")
            self._store.commit(ended, reuse, once=once)
            break
        raise _invalid()

    def live(self, user: str, family: str) -> Session | None:
        """A session that is good now.

        None if it ended, a credential of the person was changed since, or its client was registered anew, or
        for other audiences. Scopes that the client is not registered for any more are left out.
        """
        session = self._store.sessions.get(user, family)
        person = self._store.users.get(user) if session else None
        if session is None or person is None or session.epoch != person.epoch:
            return None
        client = self._find(session.client)
        if client is None or client.registration != session.registration:
            return None
        scopes = [each for each in session.scope.split() if each in {ACCOUNT, *client.sign_on_scopes}]
        # One that began before audiences were kept has none.
        session = session._replace(scope=" ".join(scopes), audience=session.audience or client.resources[0])
        return session if scopes and session.audience in client.resources else None

    def read(self, access_token: str) -> dict[str, Any]:
        """The claims of an access token that is good now, as each of our endpoints checks it.

        Raises:
            InvalidTokenError: It is not of this issuer, has expired, or is for another audience than its
                session; or that is not good any more.
        """
        claims = self._tokens.read_access(access_token)
        session = self.live(claims["sub"], claims["sid"])
        if session is None or (claims["client_id"], claims["aud"]) != (session.client, session.audience):
            raise InvalidTokenError("its session has ended, or is another client's or for another audience")
        scopes = [each for each in claims["scope"].split() if each in session.scope.split()]
        return claims | {"scope": " ".join(scopes)}

    def trim(self, user: str, newest: str) -> list[str]:
        """End the oldest sessions of a person beyond `MOST_SESSIONS`, browsers' too.

        Those that end by themselves within minutes go first: an application that renews its tokens again and
        again would end everybody else's sessions.

        Args:
            user: Whose.
            newest: A session that stays, since it has just begun.

        Returns:
            The sessions that are left, the oldest first.
        """
        soon = self._now() + _SOON_S
        sessions = sorted(
            self._store.sessions.of_user(user),
            key=lambda each: (each.family == newest, each.expires > soon, each.began),
        )
        browsers = sorted(self._store.browsers.of_user(user), key=lambda each: each.auth_time)
        ended = [self._store.sessions.delete(user, each.family) for each in sessions[:-MOST_SESSIONS]]
        ended += [self._store.browsers.delete(user, each.cookie_hash) for each in browsers[:-MOST_SESSIONS]]
        self._store.commit_each(ended)
        return [each.family for each in sessions[-MOST_SESSIONS:]]

    def end(self, user: str, but: str | None = None) -> list[Write]:
        """The writes that end all sessions of a person, browsers' too; or all but one and its browser's."""
        sessions = {session.family: session for session in self._store.sessions.of_user(user)}
        kept = sessions.pop(but, None) if but else None
        ended = [self._store.sessions.delete(user, family) for family in sessions]
        return ended + [
            self._store.browsers.delete(user, browser.cookie_hash)
            for browser in self._store.browsers.of_user(user)
            if kept is None or browser.sid != kept.sid
        ]

    def end_browser(self, user: str, sid: str) -> list[Write]:
        """The writes that end a person's session in one browser, and those that come from it."""
        ended = [
            self._store.sessions.delete(user, session.family)
            for session in self._store.sessions.of_user(user)
            if session.sid == sid
        ]
        return ended + [
            self._store.browsers.delete(user, browser.cookie_hash)
            for browser in self._store.browsers.of_user(user)
            if browser.sid == sid
        ]

    def introspect(self, text: str) -> dict[str, Any]:
        """What a token is, as RFC 7662 has it: `{"active": false}` for all that is not good now."""
        with suppress(InvalidTokenError):
            return {"active": True, "token_type": "access_token", **self.read(text)}
        try:
            token = self._tokens.read_refresh(text)
        except InvalidTokenError:
            return {"active": False}
        session = self.live(token.user, token.family)
        if session is None or self._is_over(session) or token.number != session.number:
            return {"active": False}
        return {
            "active": True,
            "token_type": "refresh_token",
            "sub": session.user,
            "sid": session.family,
            "aud": session.audience,
            "client_id": session.client,
            "scope": session.scope,
            "exp": session.expires,
        }

    def revoke(self, text: str, client_id: str, once: Once | None = None) -> None:
        """End the session of a token of a client's (RFC 7009); a token that is not good is no error."""
        try:
            claims = self._tokens.read_access(text)
            user, family = claims["sub"], claims["sid"]
        except InvalidTokenError:
            try:
                user, family, _ = self._tokens.read_refresh(text)
            except InvalidTokenError:
                self._store.commit(once=once)
                return
        session = self._store.sessions.get(user, family)
        if session is None or session.client != client_id:
            self._store.commit(once=once)
            return
        ended = self._store.sessions.delete(user, family)
        self._store.commit(ended, self._store.audit.add(user, "logout", client_id), once=once)

    def _answer(self, session: Session, number: int, scope: str) -> dict[str, Any]:
        """The tokens of a session, the refresh token being that of this number."""
        return {
            "access_token": self._tokens.access(session, scope),
            "token_type": "Bearer",
            "expires_in": self._tokens.seconds,
            "refresh_token": self._tokens.refresh(RefreshToken(session.user, session.family, number)),
            "scope": scope,
        }

    def _is_over(self, session: Session) -> bool:
        """Whether a session has reached its age, however often it was refreshed."""
        return self._now() > session.began + self._longest_s


def _invalid() -> UnauthorizedError:
    return UnauthorizedError("invalid_grant", "The refresh token is not valid, or no longer.")
