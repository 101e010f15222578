"""Settings from environment variables, checked all at once.

A function declares what it needs as a frozen dataclass, and reads it in its handler::

    @dataclass(frozen=True)
    class Settings(EnvSettings):
        bucket: str
        max_bytes: Annotated[int, positive_int] = 40_000_000

    settings = Settings.from_env()  # reads BUCKET and MAX_BYTES

A field's variable is its name in capitals. A field without a default must be set and not empty. The text is
converted by the callable in `Annotated`, or else by the field's own type. This module is the only one in the
suite that reads the environment.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, Self, get_args

__all__ = ["EnvSettings", "SettingsError", "base_url", "flag", "names", "positive_int", "positive_number"]


class SettingsError(Exception):
    """Variables that are missing or wrong.

    Attributes:
        problems: One sentence for each variable, in the order of the fields.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def positive_int(text: str) -> int:
    """A whole number above zero.

    Raises:
        ValueError: `text` is anything else.
    """
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError("must be a whole number above 0")
    return int(text)


def positive_number(text: str) -> float:
    """A number above zero.

    Raises:
        ValueError: `text` is anything else.
    """
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError("must be a number above 0")
    return number


def base_url(text: str) -> str:
    """An http or https address that paths can be put behind.

    Raises:
        ValueError: `text` is none, or ends with a slash.
    """
    scheme, separator, host = text.partition("://")
    if scheme not in ("http", "https") or not separator or not host or text.endswith("/"):
        raise ValueError("must be an http or https address without a slash at its end")
    return text


def names(text: str) -> tuple[str, ...]:
    """Names between commas; nothing between two commas is no name, but what is switched off."""
    return tuple(filter(None, text.split(",")))


def flag(text: str) -> bool:
    """`true` or `false`.

    Raises:
        ValueError: `text` is anything else.
    """
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


_PARSERS: dict[Any, Callable[[str], Any]] = {str: str, int: int, float: float, bool: flag}


class EnvSettings:
    """Base of a function's settings; subclasses are frozen dataclasses."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """The settings, read from environment variables.

        Args:
            environ: The variables; the process's own by default.

        Raises:
            SettingsError: At least one variable is missing or wrong; every such variable is named.
        """
        variables = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        problems: list[str] = []
        for field in fields(cls):  # type: ignore[arg-type]  # subclasses are dataclasses
            name = field.name.upper()
            text = variables.get(name, "")
            if not text:
                if field.default is MISSING and field.default_factory is MISSING:
                    problems.append(f"{name} is missing")
                continue
            annotation = get_args(field.type)
            parse = annotation[1] if annotation and callable(annotation[1]) else _PARSERS[field.type]
            try:
                values[field.name] = parse(text)
            except ValueError as error:
                problems.append(f"{name}: {error}")
        if problems:
            raise SettingsError(tuple(problems))
        return cls(**values)
