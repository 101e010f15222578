"""How the engine changes the emulator: checked replacements, listed in one registry.

A patch names the place that it replaces and the digest of the source that it was written against. When a
new release of the emulator changes that place, the engine refuses to start and names every place to look at
again, instead of silently running with half of a behaviour.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

__all__ = ["PATCHES", "Patch", "PatchedPlaceChanged", "check", "pin", "replaces"]


class PatchedPlaceChanged(RuntimeError):
    """The emulator's code differs from the code that patches were written for."""


@dataclass(frozen=True)
class Patch:
    """One restored behaviour."""

    place: str
    restores: str


PATCHES: list[Patch] = []
_changed: list[str] = []


def source_digest(target: Any) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of a function's or class's source."""
    return hashlib.sha256(inspect.getsource(target).encode()).hexdigest()[:12]


def pin(owner: ModuleType | type, name: str, digest: str) -> None:
    """Note that the engine's code relies on ``owner.name`` being what it was when ``digest`` was taken."""
    place = f"{owner.__name__}.{name}"
    target = getattr(owner, name, None)
    actual = source_digest(target) if target is not None else "missing"
    if actual != digest:
        _changed.append(f"{place}: expected source {digest}, found {actual}")


def replaces(
    owner: ModuleType | type, name: str, *, digest: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Replace ``owner.name``; the replacement gets the original as its first argument.

    Args:
        owner: Module or class of the emulator.
        name: Attribute to replace.
        digest: ``source_digest`` of the original that the patch was written against.

    The docstring's first line of the decorated function says which AWS behaviour it restores.
    """

    def install(replacement: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(owner, name, None)
        pin(owner, name, digest)
        if original is None:
            return replacement

        @functools.wraps(original)
        def patched(*args: Any, **kwargs: Any) -> Any:
            return replacement(original, *args, **kwargs)

        if inspect.iscoroutinefunction(original):
            inspect.markcoroutinefunction(patched)
        setattr(owner, name, patched)
        PATCHES.append(
            Patch(f"{owner.__name__}.{name}", (inspect.getdoc(replacement) or "").partition("\n")[0])
        )
        return replacement

    return install


def check() -> None:
    """Raise :class:`PatchedPlaceChanged` naming every place that is not what a patch expects."""
    if _changed:
        raise PatchedPlaceChanged(
            "the emulator differs from the release that the engine's patches were written for; "
            "read each place again, adapt its patch, and renew its digest:\n  " + "\n  ".join(_changed)
        )
