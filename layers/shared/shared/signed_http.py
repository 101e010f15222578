"""HTTP requests signed by AWS Signature Version 4, for services that boto3 has no client for.

An OpenSearch domain is asked over plain HTTP; the signature says who asks::

    domain = SignedHttp("https://search-log-abc.us-east-1.es.amazonaws.com", "es", "us-east-1")
    status, body = domain.send("POST", "/log/_search", b'{"size": 1}')

Of what Lambda's runtime has botocore signs and sends, so that nothing has to be packed for it. A request is
sent once: whether and when again is the caller's to decide.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from botocore.credentials import Credentials

__all__ = ["Answer", "SignedHttp", "UnreachableError"]

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 20.0


class Answer(NamedTuple):
    """The status of an answer, and its body."""

    status: int
    body: bytes


class UnreachableError(Exception):
    """No connection, or no answer in time; whether the request was carried out is not known."""


class SignedHttp:
    """One address that is asked with the process's own AWS credentials.

    Args:
        address: Base address, without a slash at its end.
        service: The service's name in signatures: `es` for OpenSearch.
        region: The service's region.
        credentials: Who asks; what boto3 finds in the environment by default.
        read_timeout: Seconds to wait for an answer; connecting may take 2 s.
    """

    def __init__(
        self,
        address: str,
        service: str,
        region: str,
        *,
        credentials: "Credentials | None" = None,
        read_timeout: float = READ_TIMEOUT_S,
    ) -> None:
        # Imported here, as in `clients`: a function that does not ask need not wait for botocore.
        from botocore.httpsession import URLLib3Session

        self._address = address
        self._service = service
        self._region = region
        self._credentials = credentials or _own_credentials()
        self._session = URLLib3Session(timeout=(CONNECT_TIMEOUT_S, read_timeout))  # type: ignore[arg-type]  # as urllib3 has it

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request.

        Args:
            method: Such as `POST`.
            path: Path below the address, with a slash at its beginning, encoded.
            body: What is sent, at most as much as the service takes.
            parameters: Of the query, not encoded.
            headers: `Content-Type` is JSON unless it is here.

        Raises:
            UnreachableError: There was no answer.
        """
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import ConnectionError as NoConnectionError
        from botocore.exceptions import HTTPClientError

        request = AWSRequest(
            method=method,
            url=f"{self._address}{path}",
            data=body,
            params=dict(parameters or {}),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        SigV4Auth(self._credentials.get_frozen_credentials(), self._service, self._region).add_auth(request)
        try:
            answer = self._session.send(request.prepare())
            return Answer(answer.status_code, answer.content)
        except (HTTPClientError, NoConnectionError) as error:
            raise UnreachableError(type(error).__name__) from error


def _own_credentials() -> "Credentials":
    import boto3

    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise UnreachableError("no AWS credentials")
    return credentials
