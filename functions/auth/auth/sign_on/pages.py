"""The pages of single sign-on: plain HTML that works without scripts, under a policy that allows none.

Whatever comes from outside is escaped where it is put in. A page may send its forms to us, and be redirected
from there to the application that it belongs to: Chromium applies `form-action` to redirects as well.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from shared.http import Answer

from ..clients import Client

__all__ = ["consent", "error", "login", "redirect", "second_factor", "sign_out", "signed_out"]

_STYLE = Path(__file__).with_name("pages.css").read_text()
_DIGEST = b64encode(sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def login(client: Client, carried: Mapping[str, str], email: str, problem: str = "") -> Answer:
    """The page that asks who somebody is.

    Args:
        client: The application that they want to use.
        carried: Fields that the form sends back unchanged.
        email: The address as far as it is known.
        problem: What is wrong with what they sent; empty at first.
    """
    invalid = ' aria-invalid="true" aria-describedby="problem"' if problem else ""
    first, second = ("", " autofocus") if email else (" autofocus", "")
    return _page(
        "Sign in",
        f"""<p class="muted">to continue to {escape(client.title)}</p>{_problem(problem)}
<form method="post" action="login">{_hidden(carried)}
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="{escape(email)}" autocomplete="username" maxlength="254"
 autocapitalize="none" spellcheck="false" required{invalid}{first}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password"
 required{invalid}{second}>
<button>Sign in</button>
</form>""",
        client,
        wrong=bool(problem),
    )


def second_factor(client: Client, carried: Mapping[str, str], problem: str = "") -> Answer:
    """The page that asks for a code of the second factor; for the arguments see `login`."""
    invalid = (
        ' aria-invalid="true" aria-describedby="problem hint"' if problem else ' aria-describedby="hint"'
    )
    return _page(
        "Enter your code",
        f"""<p class="muted" id="hint">The six digits that your authenticator app shows now, to continue to
{escape(client.title)}</p>{_problem(problem)}
<form method="post" action="second-factor">{_hidden(carried)}
<label for="code">Code</label>
<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9]{{6}}"
 maxlength="6" title="Six digits" required{invalid} autofocus>
<button>Continue</button>
</form>""",
        client,
        wrong=bool(problem),
    )


def consent(client: Client, carried: Mapping[str, str], wishes: Iterable[str], who: str) -> Answer:
    """The page that asks whether an application may know what it wants to know.

    Args:
        client: The application.
        carried: Fields that the form sends back unchanged.
        wishes: What it wants, in words.
        who: Who is signed in.
    """
    items = "".join(f"<li>{escape(wish)}</li>" for wish in wishes)
    return _page(
        f"Allow {client.title}?",
        f"""<p>{escape(client.title)} asks to</p>
<ul>{items}</ul>
<p class="muted">You are signed in as<br><strong>{escape(who)}</strong></p>
<form method="post" action="consent">{_hidden(carried)}
<button name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Do not allow</button>
</form>""",
        client,
    )


def sign_out(client: Client | None, carried: Mapping[str, str]) -> Answer:
    """The page that asks whether somebody wants to sign out."""
    return _page(
        "Sign out?",
        f"""<p>You will be signed out here, and of the applications that you used from this browser.</p>
<form method="post" action="logout/confirm">{_hidden(carried)}
<button>Sign out</button>
</form>""",
        client,
    )


def signed_out() -> Answer:
    """The page for somebody who signed out, and whom no application wants back."""
    return _page("You are signed out", "<p>You can close this page.</p>")


def error(status: int, message: str, link: str = "", request_id: str = "") -> Answer:
    """The page that says why there is no other one.

    Args:
        status: The HTTP status.
        message: Why.
        link: Where to begin again, relative to this page; empty for nowhere.
        request_id: The request's id, by which who asks for help is found in the log.
    """
    again = f'<p><a href="{escape(link)}">Start again</a></p>' if link else ""
    name = f'<p class="muted">Request {escape(request_id)}</p>' if request_id else ""
    body = f"<p>{escape(message)}</p>{again}{name}"
    return _page("This did not work", body, wrong=True) | {"statusCode": status}


def redirect(location: str) -> Answer:
    """A redirect that is always followed by GET, and that tells nothing of where it comes from."""
    return {"statusCode": 303, "headers": {**_HEADERS, "Location": location}, "body": ""}


def _page(title: str, body: str, client: Client | None = None, *, wrong: bool = False) -> Answer:
    text = f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>{"Error: " if wrong else ""}{escape(title)}</title>
<style>{_STYLE}</style></head>
<body><main><h1>{escape(title)}</h1>
{body}
</main></body>
</html>
"""
    policy = " ".join([_POLICY, *_origins(client)])
    headers = {**_HEADERS, "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
    return {"statusCode": 200, "headers": headers, "body": text}


def _origins(client: Client | None) -> list[str]:
    """Where an application's addresses lie: its callback may send people on to another one of them."""
    if client is None:
        return []
    parts = [urlsplit(uri) for uri in (*client.redirect_uris, *client.logout_uris)]
    return sorted({f"{part.scheme}://{part.netloc}" for part in parts})


def _problem(problem: str) -> str:
    return f'\n<p class="problem" role="alert" id="problem">{escape(problem)}</p>' if problem else ""


def _hidden(carried: Mapping[str, str]) -> str:
    return "".join(
        f'\n<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in carried.items()
    )
