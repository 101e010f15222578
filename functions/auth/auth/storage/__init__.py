"""The users table."""

from ._store import Attempts, Item, LostRaceError, Once, Store, User, Write, write

__all__ = ["Attempts", "Item", "LostRaceError", "Once", "Store", "User", "Write", "write"]
