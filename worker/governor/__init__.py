"""The governor: all windows of all accounts, for every worker that shares a Redis."""

from worker.governor.forecast import Forecast, forecasts
from worker.governor.governor import Governor, get_governor, get_publishing_governor, take_command
from worker.governor.script import script_of
from worker.governor.terms import (
    ALONE,
    ANY_KEY,
    EVEN_IF_FULL,
    PREFIX,
    REVOKED_MS,
    SMALL_RESULT,
    Arrival,
    BucketLook,
    Claim,
    Delivery,
    End,
    FailedCall,
    Fate,
    LineRef,
    Look,
    Pause,
    Rider,
    Settlement,
    Together,
)
from worker.lane_and_expiry import Expiry, Lane

__all__ = [
    "ALONE",
    "ANY_KEY",
    "EVEN_IF_FULL",
    "PREFIX",
    "REVOKED_MS",
    "SMALL_RESULT",
    "Arrival",
    "BucketLook",
    "Claim",
    "Delivery",
    "End",
    "Expiry",
    "FailedCall",
    "Fate",
    "Forecast",
    "Governor",
    "Lane",
    "LineRef",
    "Look",
    "Pause",
    "Rider",
    "Settlement",
    "Together",
    "forecasts",
    "get_governor",
    "get_publishing_governor",
    "script_of",
    "take_command",
]
