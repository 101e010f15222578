"""Why a panel has no answer."""

__all__ = ["InsightsError"]


class InsightsError(Exception):
    """Why there is no answer; code and message go to the caller as they are.

    Codes: bad_request 400, forbidden 403, unknown_panel, unknown_query 404, query_failed 502, misconfigured
    500, busy 503.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code, message)
        self.status, self.code, self.message = status, code, message
