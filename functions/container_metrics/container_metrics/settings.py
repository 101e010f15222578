"""The environment of the function."""

from dataclasses import dataclass

from shared.settings import EnvSettings

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings(EnvSettings):
    """Settings of the sample function.

    Attributes:
        stack_name: Value of the dimension `StackName`, under which the highest of all targets is published.
    """

    stack_name: str
