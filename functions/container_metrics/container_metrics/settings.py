"""The environment of the function."""

from dataclasses import dataclass
from typing import Annotated

from shared.settings import EnvSettings, names

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings(EnvSettings):
    """Settings of the sample function.

    Attributes:
        stack_name: Value of the dimension `StackName`, under which the highest of all targets is published.
        reader_roles: ARNs of the roles by which other accounts are read, one for each.
    """

    stack_name: str
    reader_roles: Annotated[tuple[str, ...], names] = ()
