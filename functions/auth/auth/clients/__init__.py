"""Client companies and their applications: who they are, and whether a request is really theirs."""

from ._clients import REGISTERED, SCOPES, Client, Clients, SignedRequest, find_client

__all__ = ["REGISTERED", "SCOPES", "Client", "Clients", "SignedRequest", "find_client"]
