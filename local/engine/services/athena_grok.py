"""Grok: patterns of named patterns, ``%{NAME:field}``, as GrokSerDe takes them.

The names are those of Logstash's and Glue's built-in patterns; the expressions are written here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from local.engine.services.athena_errors import SqlError

__all__ = ["Grok", "compiled"]

_IPV4 = r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_HEX = "[0-9A-Fa-f]"
_PATTERNS = {
    "USERNAME": r"[\w.-]+", "USER": "%{USERNAME}", "EMAILLOCALPART": r"[\w!#$%&'*+/=?`{|}~^.-]+",
    "EMAILADDRESS": "%{EMAILLOCALPART}@%{HOSTNAME}", "HTTPDUSER": "(?:%{EMAILADDRESS}|%{USER})",
    "INT": r"[+-]?\d+", "BASE10NUM": r"(?<![\d.+-])[+-]?(?:\d+(?:\.\d+)?|\.\d+)", "NUMBER": "%{BASE10NUM}",
    "BASE16NUM": rf"(?<![0-9A-Fa-f])[+-]?(?:0x)?{_HEX}+", "POSINT": r"\b[1-9]\d*\b", "NONNEGINT": r"\b\d+\b",
    "WORD": r"\b\w+\b", "NOTSPACE": r"\S+", "SPACE": r"\s*", "DATA": ".*?", "GREEDYDATA": ".*",
    "QUOTEDSTRING": r"""(?:"(?:\\.|[^\\"])*"|'(?:\\.|[^\\'])*'|`(?:\\.|[^\\`])*`)""", "QS": "%{QUOTEDSTRING}",
    "UUID": rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}",
    "MAC": rf"(?:{_HEX}{{2}}[:-]){{5}}{_HEX}{{2}}|(?:{_HEX}{{4}}\.){{2}}{_HEX}{{4}}",
    "IPV4": rf"(?<!\d){_IPV4}(?!\d)",
    "IPV6": rf"(?:(?:{_HEX}{{1,4}}:){{7}}{_HEX}{{1,4}}|(?=(?:{_HEX}{{0,4}}:){{2,7}})"
    rf"[0-9A-Fa-f:]*::[0-9A-Fa-f:]*(?:{_IPV4})?)(?:%\w+)?",
    "IP": "(?:%{IPV6}|%{IPV4})",
    "HOSTNAME": r"\b[0-9A-Za-z][0-9A-Za-z-]{0,62}(?:\.[0-9A-Za-z][0-9A-Za-z-]{0,62})*\.?\b",
    "HOST": "%{HOSTNAME}",
    "IPORHOST": "(?:%{IP}|%{HOSTNAME})", "HOSTPORT": "%{IPORHOST}:%{POSINT}",
    "PATH": "(?:%{UNIXPATH}|%{WINPATH})", "UNIXPATH": r"(?:/[\w%!$@:.,+~-]*)+",
    "WINPATH": r"(?:[A-Za-z]+:|\\)(?:\\[^\\?*]*)+",
    "URIPROTO": r"[A-Za-z](?:[A-Za-z0-9+.-]+)+", "URIHOST": "%{IPORHOST}(?::%{POSINT})?",
    "URIPATH": r"(?:/[\w.~!$&'()*+,;=:@%|-]*)+", "URIPARAM": r"\?[\w$.+!*'|(){},~@#%&/=:;?<>\[\]-]*",
    "URIPATHPARAM": "%{URIPATH}(?:%{URIPARAM})?",
    "URI": "%{URIPROTO}://(?:%{USER}(?::[^@]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?",
    "MONTH": r"\b(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sep(?:tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b",
    "MONTHNUM": "(?:0?[1-9]|1[0-2])", "MONTHNUM2": "(?:0[1-9]|1[0-2])",
    "MONTHDAY": r"(?:0[1-9]|[12]\d|3[01]|[1-9])", "YEAR": r"(?:\d\d){1,2}",
    "DAY": r"(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)",
    "HOUR": r"(?:2[0123]|[01]?\d)", "MINUTE": r"[0-5]\d", "SECOND": r"(?:[0-5]?\d|60)(?:[:.,]\d+)?",
    "TIME": r"(?<!\d)%{HOUR}:%{MINUTE}(?::%{SECOND})?(?!\d)",
    "DATE_US": "%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}", "DATE_EU": "%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}",
    "DATE": "(?:%{DATE_US}|%{DATE_EU})", "DATESTAMP": "%{DATE}[- ]%{TIME}",
    "ISO8601_TIMEZONE": "(?:Z|[+-]%{HOUR}(?::?%{MINUTE}))",
    "TIMESTAMP_ISO8601": "%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]"
    "%{HOUR}:?%{MINUTE}(?::?%{SECOND})?%{ISO8601_TIMEZONE}?",
    "TZ": "[A-Z]{3,4}", "HTTPDATE": "%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}",
    "SYSLOGTIMESTAMP": "%{MONTH} +%{MONTHDAY} %{TIME}", "PROG": r"[\w._/%-]+",
    "SYSLOGPROG": r"%{PROG:program}(?:\[%{POSINT:pid}\])?", "SYSLOGHOST": "%{IPORHOST}",
    "SYSLOGFACILITY": "<%{NONNEGINT:facility}.%{NONNEGINT:priority}>",
    "SYSLOGBASE": "%{SYSLOGTIMESTAMP:timestamp} (?:%{SYSLOGFACILITY} )?"
    "%{SYSLOGHOST:logsource} %{SYSLOGPROG}:",
    "LOGLEVEL": "(?i:trace|debug|notice|info(?:rmation)?|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|severe"
    "|alert|emerg(?:ency)?)",
    "COMMONAPACHELOG": r'%{IPORHOST:clientip} %{HTTPDUSER:ident} %{HTTPDUSER:auth} \[%{HTTPDATE:timestamp}\] '
    r'"(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})" '
    r'%{NUMBER:response} (?:%{NUMBER:bytes}|-)',
    "COMBINEDAPACHELOG": "%{COMMONAPACHELOG} %{QS:referrer} %{QS:agent}",
}  # fmt: skip
_REFERENCE = re.compile(
    r"%\{(?P<name>\w+)(?::(?P<field>[\w\[\]@.-]+))?(?::(?P<type>\w+))?\}|\(\?<(?P<group>[A-Za-z]\w*)>"
)
_DEEPEST = 20


@dataclass(frozen=True)
class Grok:
    """A pattern, and the groups of its named fields in their order."""

    pattern: re.Pattern[str]
    groups: tuple[str, ...]


def compiled(pattern: str, custom: str) -> Grok:
    """Compile a grok pattern.

    Args:
        pattern: Such as ``%{IP:client} %{WORD:method}``.
        custom: Further named patterns, a line ``NAME expression`` each.

    Raises:
        SqlError: It names a pattern that there is not, or is malformed.
    """
    known = dict(_PATTERNS)
    for line in custom.replace("\\n", "\n").splitlines():
        name, _, expression = line.strip().partition(" ")
        if name and expression:
            known[name] = expression
    groups: list[str] = []

    def expanded(text: str, depth: int) -> str:
        if depth > _DEEPEST:
            raise SqlError(f"HIVE_INVALID_METADATA: grok pattern {pattern!r} names itself")

        def one(match: re.Match[str]) -> str:
            name = match["name"]
            if name is not None and name not in known:
                raise SqlError(f"HIVE_INVALID_METADATA: No definition for key '{name}' found, aborting")
            if name is not None and not match["field"]:
                return f"(?:{expanded(known[name], depth + 1)})"
            group = f"field{len(groups)}"
            groups.append(group)
            return f"(?P<{group}>" + ("" if name is None else f"{expanded(known[name], depth + 1)})")

        return _REFERENCE.sub(one, text)

    try:
        return Grok(re.compile(expanded(pattern, 0)), tuple(groups))
    except re.error as error:
        raise SqlError(f"HIVE_INVALID_METADATA: grok pattern {pattern!r}: {error}") from error
