"""The governor: all windows of all accounts, for every worker that shares a Redis."""

from worker.governor.forecast import Forecast, forecasts
from worker.governor.governor import Governor, get_governor, get_publishing_governor, take_command
from worker.governor.script import SCRIPT
from worker.governor.terms import (
    ANY_KEY,
    EVEN_IF_FULL,
    PREFIX,
    REVOKED_MS,
    SMALL_RESULT,
    BucketLook,
    Claim,
    Delivery,
    End,
    FailedCall,
    LineRef,
    Look,
    Pause,
    Settlement,
)
from worker.lane_and_expiry import Expiry, Lane

__all__ = [
    "ANY_KEY",
    "EVEN_IF_FULL",
    "PREFIX",
    "REVOKED_MS",
    "SCRIPT",
    "SMALL_RESULT",
    "BucketLook",
    "Claim",
    "Delivery",
    "End",
    "Expiry",
    "FailedCall",
    "Forecast",
    "Governor",
    "Lane",
    "LineRef",
    "Look",
    "Pause",
    "Settlement",
    "forecasts",
    "get_governor",
    "get_publishing_governor",
    "take_command",
]
