"""What the engine's services do after a while: AWS's waiting times, scaled by ``ENGINE_TIME_SCALE``."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ministack.core.responses import get_account_id, get_region

from local.engine.delivery import scope
from local.engine.settings import SETTINGS

__all__ = ["later"]

_logger = logging.getLogger(__name__)


def later(seconds: float, call: Callable[[], None]) -> None:
    """Call in a thread after ``seconds`` of AWS's time, for the present account and region."""
    account, region = get_account_id(), get_region()

    def run() -> None:
        with scope(account, region):
            try:
                call()
            except Exception:
                _logger.exception("%s failed", call)

    timer = threading.Timer(seconds * SETTINGS.time_scale, run)
    timer.daemon = True
    timer.start()
