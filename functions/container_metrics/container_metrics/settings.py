"""The environment of the function."""

from dataclasses import dataclass
from typing import Annotated

from shared.settings import EnvSettings

__all__ = ["Settings"]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


@dataclass(frozen=True)
class Settings(EnvSettings):
    """Settings of the sample function.

    Attributes:
        stack_name: Value of the dimension `StackName`, under which the highest of all targets is published.
        reader_roles: ARNs of the roles by which other accounts are read, one for each.
    """

    stack_name: str
    reader_roles: Annotated[tuple[str, ...], _listed] = ()
