"""Valid values for the parameters of any action, made from their annotations."""

from __future__ import annotations

import inspect
import json
import types
import typing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict

import tasks.registry  # noqa: F401  registers every action
from tasks import images, rules
from tests.tasks import definition_samples
from worker.action import ACTIONS
from worker.api.declaration import Declaration

#: The present moment of these tests.
NOW = datetime(2026, 7, 15, 12, 0, tzinfo=UTC)

HERE = Path(__file__).parent
TABLES = ("seed_parameters.json", "seed_parameters_rest.json")
ROWS: list[dict[str, Any]] = [row for table in TABLES for row in json.loads((HERE / table).read_text("utf-8"))]
NAMES = [row["name"] for row in ROWS]

SPECIAL = {
    rules.moment: "2026-01-02T03:04:05+00:00",
    rules.day: "1990-01-02",
    rules.email: "ada@example.com",
    rules.phone_number: "+15005550006",
    rules.coordinate: 12.5,
    images.read_file: {"filename": "dot.gif", "content": "R0lGODlh"},
}

DATE = {"type": "date", "operator": "in-the-last", "unit": "day", "quantity": 30}
NUMBER = {"type": "numeric", "operator": "greater-than", "value": 1}
TEXT = {"type": "string", "operator": "equals", "value": "gold"}
DEFINITION = {
    "condition_groups": [
        {
            "conditions": [
                {"type": "profile-group-membership", "is_member": True, "group_ids": ["L1"], "timeframe_filter": DATE},
                {
                    "type": "profile-metric",
                    "metric_id": "M1",
                    "measurement": "count",
                    "measurement_filter": NUMBER,
                    "timeframe_filter": {"type": "date", "operator": "alltime"},
                    "metric_filters": [{"property": "Plan", "filter": TEXT}],
                },
                {"type": "profile-property", "property": "plan", "filter": TEXT},
                {"type": "profile-region", "in_region": True, "region": "european_union"},
                {
                    "type": "profile-postal-code-distance",
                    "country_code": "GB",
                    "postal_code": "E1 6AN",
                    "unit": "kilometers",
                    "filter": {"type": "numeric", "operator": "less-than", "value": 5},
                },
            ]
        },
        {
            "conditions": [
                {
                    "type": "profile-marketing-consent",
                    "consent": {
                        "channel": "email",
                        "can_receive_marketing": True,
                        "consent_status": {
                            "subscription": "subscribed",
                            "filters": [
                                {"field": "status_date", "filter": DATE},
                                {"field": "method", "method": "back_in_stock"},
                            ],
                        },
                    },
                },
                {
                    "type": "profile-permissions",
                    "channel": "whatsapp_marketing",
                    "permission": {"reachable_status": "implicitly_reachable"},
                },
                {
                    "type": "profile-predictive-analytics",
                    "dimension": "churn_probability",
                    "filter": {"type": "numeric", "operator": "less-than", "value": 0.5},
                },
                {
                    "type": "profile-has-custom-object",
                    "object_type_id": "O1",
                    "object_type_relationship_id": "R1",
                    "filter": NUMBER,
                    "filters": [{"property_id": 1, "filter": TEXT}],
                },
                {
                    "type": "profile-metric-funnel",
                    "timeframe_filter": DATE,
                    "completion_window_seconds": "DAYS_3",
                    "steps": [{"metric_exists": True, "metric_id": "M1"}],
                },
            ]
        },
    ]
}

#: TypedDicts of which not every combination of keys has a meaning.
NAMED = {
    "Definition": DEFINITION,
    "Condition": definition_samples.IS_GOLD,
    "FlowDefinition": definition_samples.FLOW,
    "FormVersion": definition_samples.FORM_VERSION,
    "TemplateDefinition": definition_samples.TEMPLATE,
    "MetricFilter": TEXT,
    "SmsForm": {"message": "Hello", "message_format": "SMS"},
    "Rejection": {"reason": "other", "status_explanation": "x1"},
    "ReviewStatus": {"value": "rejected", "rejection_reason": {"reason": "fake"}},
}
#: Filters that have to name something.
FILTERS = {
    "get_campaigns": "equals(messages.channel,'email')",
    "get_coupon_codes": "equals(coupon.id,'10OFF')",
}

#: Parameters of which a call takes one.
ALTERNATIVES = {
    "bulk_suppress_profiles": ("profiles", "list_id", "segment_id"),
    "bulk_unsuppress_profiles": ("profiles", "list_id", "segment_id"),
    "request_profile_deletion": ("profile_id", "email", "phone_number"),
}
#: What a check asks for besides the required parameters.
NEEDED = {
    "create_profile": ("email",),
    "create_or_update_profile": ("email",),
    "create_client_profile": ("email",),
    "bulk_suppress_profiles": ("profiles",),
    "bulk_unsuppress_profiles": ("profiles",),
    "request_profile_deletion": ("email",),
    "add_profiles_to_list": ("profile_ids",),
    "remove_profiles_from_list": ("profile_ids",),
}


def declaration(name: str) -> Declaration:
    """The declaration of an action."""
    return ACTIONS[name].declaration


def stripped(annotation: Any) -> tuple[Any, list[Any]]:
    """The annotation without `Annotated`, `Required` and `None`, and what was said beside it."""
    beside: list[Any] = []
    while True:
        origin = get_origin(annotation)
        if origin is typing.Annotated:
            annotation, *more = get_args(annotation)
            beside += more
        elif origin in (typing.Required, typing.NotRequired):
            annotation = get_args(annotation)[0]
        elif origin in (typing.Union, types.UnionType):
            annotation = next(each for each in get_args(annotation) if each is not type(None))
        else:
            return annotation, beside


def sample(annotation: Any, whole: bool = True) -> Any:
    """A valid value; ``whole``: with every key, else only with those that must be there."""
    plain, beside = stripped(annotation)
    for each in beside:
        if getattr(each, "func", None) in SPECIAL:
            return SPECIAL[each.func]
    if getattr(plain, "__name__", "") in NAMED:
        return NAMED[plain.__name__]
    if is_typeddict(plain):
        keys = get_type_hints(plain, include_extras=True)
        # `__required_keys__` does not know `Required` in annotations that are text.
        must = {"email"} | {key for key, each in keys.items() if plain.__total__ or get_origin(each) is typing.Required}
        return {key: sample(each, whole) for key, each in keys.items() if whole or key in must}
    if get_origin(plain) is typing.Literal:
        return get_args(plain)[0]
    if get_origin(plain) is list:
        return [sample(get_args(plain)[0], whole)]
    return {str: "x1", int: 1, float: 9.0, bool: True}.get(plain, {"plan": "gold"})


def whole_calls(name: str) -> list[dict[str, Any]]:
    """Calls that use every parameter; more than one where some exclude each other."""
    parameters = declaration(name).parameters
    everything = {each: sample_at(name, [each]) for each in parameters}
    exclusive = ALTERNATIVES.get(name, ())
    rest = {key: value for key, value in everything.items() if key not in exclusive}
    return [{**rest, one: everything[one]} for one in exclusive] or [everything]


def smallest_call(name: str, *, without: str = "") -> dict[str, Any]:
    """A call with what must be there, and room for the parameter ``without``."""
    found = declaration(name)
    needed = {each.name for each in found.parameters.values() if each.required} | set(NEEDED.get(name, ()))
    if without in ALTERNATIVES.get(name, ()):
        needed -= set(ALTERNATIVES[name])
    return {key: sample_at(name, [key], whole=False) for key in sorted(needed - {without})}


def sample_at(name: str, keys: list[str], whole: bool = True) -> Any:
    """A valid value for a parameter, or for a key inside it."""
    return FILTERS[name] if keys == ["filter"] and name in FILTERS else sample(annotation_at(name, keys), whole)


def annotation_at(name: str, keys: list[str]) -> Any:
    """The annotation of a parameter, or of a key inside it."""
    annotation = declaration(name).parameters[keys[0]].annotation
    for key in keys[1:]:
        annotation = get_type_hints(stripped(annotation)[0], include_extras=True)[key]
    return annotation


def first_sentence(name: str) -> str:
    """The first line of an action's docstring."""
    return inspect.cleandoc(declaration(name).doc).splitlines()[0]
