"""A company's server that signs people up and logs them in: see docs/auth_integration.md.

One file, one process, pages without scripts. Its people have a cookie of its own; their tokens stay here.

Where the authentication has two regions it goes on with the other one while one is out.
"""

import html
import os
import secrets
import sys
import time
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import jwt
import requests

APIS = os.environ["AUTH_API"].split()  # the stack's output AuthApiUrl of each region, the nearest first
API_KEY = os.environ["AUTH_API_KEY"]  # what `make clients DO='add ...'` printed
CLIENT = os.environ.get("AUTH_CLIENT", "shop")  # the client's name
KEY_FILE = Path(os.environ.get("AUTH_KEY", "shop-private.pem"))
KID = os.environ.get("AUTH_KID", "shop")  # the name of the public key's file
KEY = KEY_FILE.read_text()

TIMEOUT = (2, 10)  # seconds, to connect and for an answer; a log-in takes one
AVOIDED = 30  # seconds for which a region that was out is asked last

sessions: dict[str, dict[str, str]] = {}  # cookie to tokens; a real server keeps them in its own store
out: dict[str, float] = {}  # a region's API that was out, and until when it is asked last


def send(api: str, method: str, path: str, payload: dict[str, str]) -> requests.Response:
    """Send a signed request: with a body in the body, without one in the header Client-Assertion.

    It is signed for one region and is good there alone, once: another region, or another try, takes another.
    """
    now = int(time.time())
    claims = {"iss": CLIENT, "aud": api, "iat": now, "exp": now + 60, "jti": secrets.token_urlsafe(16)}
    claims |= {"htm": method, "htu": path, **payload}
    signed = jwt.encode(claims, KEY, "ES256", {"typ": "client-request+jwt", "kid": KID})
    headers = {"x-api-key": API_KEY}
    if method in ("POST", "PATCH"):
        body = {"request": signed}
        return requests.request(method, api + path, json=body, headers=headers, timeout=TIMEOUT)
    headers["Client-Assertion"] = signed
    return requests.request(method, api + path, headers=headers, timeout=TIMEOUT)


def call(
    method: str, path: str, apis: list[str] = APIS, *, mailed: bool = False, **payload: str
) -> requests.Response:
    """Have a region answer a request: where one is out, the next.

    What answered too late may have been done. So only what may be done twice goes to another region: to sign
    up, to log in, to forget a password, to read and to edit a profile (with the same values). Tokens are good
    in the region that gave them: `apis` is that one then. The token of a mail is asked for in each
    (`mailed`), since the mail does not say which region sent it.

    Raises:
        requests.RequestException: No region answers, or not the one that knows the token.
    """
    lost, refused = None, None
    for api in sorted(apis, key=lambda each: time.monotonic() < out.get(each, 0)):
        try:
            answer = send(api, method, path, payload)
            if answer.status_code == 503:  # nothing was done
                answer.raise_for_status()
        except requests.RequestException as no_answer:
            out[api], lost = time.monotonic() + AVOIDED, no_answer
            continue
        if not (mailed and error(answer)["code"] == "invalid_token"):
            return answer
        refused = answer
    if lost is not None:
        raise lost
    return refused


def error(answer: requests.Response) -> dict[str, str]:
    """Code and message of an answer that is no success; what stands before the API has no code."""
    try:
        return {"code": "", "message": "This did not work", **answer.json()}
    except ValueError:  # not JSON, such as a proxy's page
        return {"code": "", "message": "This did not work"}


def said(answer: requests.Response) -> str:
    """What a person is told of an answer that is no success."""
    wait = f" ({answer.headers['Retry-After']} s)" if "Retry-After" in answer.headers else ""
    return error(answer)["message"] + wait


class Site(BaseHTTPRequestHandler):
    """The pages."""

    def do_GET(self) -> None:
        """Show a page."""
        try:
            self.page()
        except requests.RequestException:
            self.show(NO_ANSWER, LINKS, 503)

    def do_POST(self) -> None:
        """Do what a form asks for."""
        try:
            self.act()
        except requests.RequestException:
            self.show(NO_ANSWER, LINKS, 503)

    def page(self) -> None:
        """Show the page that the address names."""
        place = urlsplit(self.path)
        token = parse_qs(place.query).get("token", [""])[0]
        if place.path == "/verify":
            other = f'<a href="/reset?token={quote(token)}">Choose another password</a>'
            self.form("/verify", "Confirm your address", {"token": token}, ["password"], other)
        elif place.path == "/reset":
            self.form("/reset", "Choose a new password", {"token": token}, ["password"])
        elif place.path == "/" and self.tokens():
            self.home()
        elif place.path == "/":
            self.show("Welcome", LINKS)
        elif place.path == "/signup":
            self.form("/signup", "Sign up", {}, ["email", "password"])
        elif place.path == "/login":
            self.form("/login", "Log in", {}, ["email", "password"])
        elif place.path == "/forgot":
            self.form("/forgot", "Forgot your password?", {}, ["email"])
        else:
            self.show("Not found", LINKS, 404)

    def act(self) -> None:
        """Do what the form asks for."""
        length = min(int(self.headers.get("Content-Length", 0)), 16_384)
        form = {
            name: values[0]
            for name, values in parse_qs(self.rfile.read(length).decode(errors="replace")).items()
        }
        if self.headers.get("Origin") not in (None, f"http://{self.headers.get('Host')}"):
            self.show("Another site sent this", "", 403)
        elif self.path == "/login":
            self.log_in(form)
        elif self.path == "/logout":
            tokens = sessions.pop(self.cookie(), None)
            if tokens:
                call("POST", "/v1/logout", [tokens["api"]], refresh_token=tokens["refresh_token"])
            self.show("You are logged out", LINKS)
        elif self.path in OPERATIONS:
            path, names, done = OPERATIONS[self.path]
            given = {name: form.get(name, "") for name in names}
            answer = call("POST", path, mailed="token" in names, **given)
            self.show(done if answer.ok else said(answer), LINKS, 200 if answer.ok else answer.status_code)
        else:
            self.show("Not found", LINKS, 404)

    def log_in(self, form: dict[str, str]) -> None:
        """Log somebody in; ask for a code if the account has a second factor."""
        names = ("email", "password", "totp", "recovery_code")
        given = {name: form[name] for name in names if form.get(name)}
        # Who fails too often is this visitor then, and not everybody who comes by this server.
        answer = call("POST", "/v1/login", **given, visitor=self.client_address[0])
        if answer.ok:
            cookie = secrets.token_urlsafe(32)
            api = next(each for each in APIS if answer.url.startswith(each))
            sessions[cookie] = answer.json() | {"api": api}
            self.send_response(303)
            self.send_header("Location", "/")
            # and Secure, where the site has https
            self.send_header("Set-Cookie", f"shop={cookie}; HttpOnly; SameSite=Lax; Path=/")
            self.end_headers()
        elif error(answer)["code"] == "second_factor_required":
            fields = ["password", "totp", "recovery_code"]
            self.form("/login", "Enter your code", {"email": form["email"]}, fields)
        else:
            self.show(said(answer), LINKS, answer.status_code)

    def home(self) -> None:
        """Show who is logged in; renew the tokens first, as often as they have to be."""
        tokens = self.tokens()
        refreshing = tokens["refresh_token"]
        answer = call("POST", "/v1/token/refresh", [tokens["api"]], refresh_token=refreshing)
        if error(answer)["code"] == "invalid_grant":  # logged out elsewhere, or a new password
            sessions.pop(self.cookie(), None)
            self.show("Please log in again", LINKS)
            return
        if answer.ok:
            tokens |= answer.json()
            answer = call("GET", f"/v1/users/{tokens['user_id']}")
        if not answer.ok:  # the session goes on
            self.show(said(answer), "", answer.status_code)
            return
        profile = answer.json()["profile"]
        logout = '<form method="post" action="/logout"><button>Log out</button></form>'
        self.show("Hello", f"<p>You are {html.escape(profile['email'])}.</p>{logout}")

    def tokens(self) -> dict[str, str]:
        """The tokens behind the cookie; none for a stranger."""
        return sessions.get(self.cookie(), {})

    def cookie(self) -> str:
        """The cookie's value."""
        morsel = SimpleCookie(self.headers.get("Cookie", "")).get("shop")
        return morsel.value if morsel else ""

    def form(
        self, action: str, title: str, hidden: dict[str, str], names: list[str], other: str = ""
    ) -> None:
        """Show a form, and another way below it."""
        fields = [
            f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
            for name, value in hidden.items()
        ]
        for name in names:
            label, attributes = FIELDS[name]
            if action in ("/signup", "/reset"):
                attributes = attributes.replace("current-password", "new-password")
            fields.append(f'<p><label>{label} <input name="{name}" {attributes}></label></p>')
        body = f'<form method="post" action="{action}">{"".join(fields)}<button>Send</button></form>'
        self.show(title, f"{body}<p>{other}</p>" if other else body)

    def show(self, title: str, body: str, status: int = 200) -> None:
        """Show a page."""
        title = html.escape(title)
        viewport = '<meta name="viewport" content="width=device-width">'
        page = f'<!doctype html><html lang="en">{viewport}<title>{title}</title><h1>{title}</h1>{body}'
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'none'; form-action 'self'")
        self.end_headers()
        self.wfile.write(page.encode())


FIELDS = {  # a claim's label and attributes; password managers go by the latter
    "email": ("E-mail address", 'type="email" autocomplete="username" required'),
    "password": ("Password", 'type="password" autocomplete="current-password" required'),
    "totp": ("Code of your app", 'inputmode="numeric" autocomplete="one-time-code"'),
    "recovery_code": ("or a recovery code", 'autocomplete="off"'),
}
NO_ANSWER = "The service does not answer; try again in a moment, or log in again"
LINKS = (
    '<a href="/signup">Sign up</a> <a href="/login">Log in</a> <a href="/forgot">Forgot your password?</a>'
)
OPERATIONS = {  # form to operation, its claims, and what is said when it is done
    "/signup": ("/v1/signup", ("email", "password"), "We sent you a mail"),
    "/verify": ("/v1/verify", ("token", "password"), "Your address is confirmed"),
    "/forgot": ("/v1/password/forgot", ("email",), "We sent you a mail"),
    "/reset": ("/v1/password/reset", ("token", "password"), "Your password is changed"),
}

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    server = ThreadingHTTPServer(("127.0.0.1", port), Site)
    sys.stderr.write(f"http://127.0.0.1:{port}/\n")
    server.serve_forever()
