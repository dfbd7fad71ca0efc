"""Forms: how people sign up, and the versions of a form."""

from typing import Any, Literal, Required

from typing_extensions import TypedDict

from tasks.shapes import UpTo100
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE, never
from worker.api.seed_names import Dropped

FormBlockType = Literal[
    "button", "age_gate", "coupon", "date", "email", "html_text", "opt_in_code", "phone_number",
    "promotional_sms_checkbox", "text", "checkboxes", "radio_buttons", "dropdown", "image", "countdown_timer",
    "signup_counter", "spin_to_win", "sms_disclosure", "bis_promotional_email_checkbox", "review", "custom_html",
]  # fmt: skip
FormTriggerType = Literal[
    "after_close_or_submit_timeout", "cart_content", "cart_item_count", "cart_product", "cart_value", "channel",
    "custom_javascript", "delay", "device", "exit_intent", "identified_profiles", "lists_and_segments", "location",
    "page_visits", "previously_submitted", "profile_event_tracked", "scroll_percentage", "unidentified_profiles",
    "url_patterns", "back_in_stock",
]  # fmt: skip
FormField = Literal["ab_test", "created_at", "id", "name", "status", "updated_at"]
FormSort = Literal["created_at", "-created_at", "updated_at", "-updated_at"]
FormWithDefinitionField = Literal[
    "ab_test", "created_at", "definition", "definition.versions", "id", "name", "status", "updated_at",
]  # fmt: skip
FormVersionField = Literal[
    "ab_test", "ab_test.variation_name", "created_at", "form_type", "id", "status", "updated_at", "variation_name",
]  # fmt: skip
#: Why what includes the versions is accepted and left out.
GONE = Dropped("Klaviyo lists the versions apart since revision 2025-10-15: get_versions_for_form")
Device = Literal["both", "desktop", "mobile"]
Corner = Literal[
    "bottom_center", "bottom_left", "bottom_right", "center_left", "center_right", "top_center", "top_left", "top_right"
]


class FormBlock(TypedDict, total=False):
    """A block of a row: its type, and the properties, styles and action that go with the type."""

    id: str | None
    type: Required[FormBlockType]
    properties: dict[str, Any]
    styles: dict[str, Any]
    action: dict[str, Any] | None
    display_device: list[Device]


class FormRow(TypedDict, total=False):
    """A row of blocks."""

    id: str | None
    blocks: Required[list[FormBlock]]


class FormColumn(TypedDict, total=False):
    """A column of rows."""

    id: str | None
    rows: list[FormRow]
    styles: dict[str, Any] | None


class FormStep(TypedDict, total=False):
    """What is shown at one time; it may have steps of its own."""

    id: str | None
    name: str | None
    columns: Required[list[FormColumn]]
    steps: list[dict[str, Any]] | None


class FormTrigger(TypedDict, total=False):
    """What makes a form appear."""

    id: str | None
    type: Required[FormTriggerType]
    properties: dict[str, Any]


class Teaser(TypedDict, total=False):
    """A teaser that opens the form."""

    id: str | None
    content: Required[str]
    display_order: Literal["after", "before", "before_and_after"]
    teaser_type: Literal["circle", "corner", "rectangle"]
    location: Corner
    size: Literal["custom", "large", "medium", "small"]
    custom_size: int | None
    styles: dict[str, Any]
    close_button: bool
    device_type: Device


class DynamicButton(TypedDict, total=False):
    """A button on the shop's product page that opens the form."""

    id: str | None
    type: Required[Literal["BACK_IN_STOCK_OPEN"]]
    data: Required[dict[str, Any]]


class FormVersion(TypedDict, total=False):
    """A version of a form; an A/B test has several."""

    id: int | None
    name: str | None
    type: Literal["banner", "embed", "flyout", "full_screen", "popup"]
    channel: Literal["IN_APP", "WEB"]
    status: Literal["draft", "live"]
    ab_test: bool
    location: Corner | None
    message_priority: int
    specialties: list[Literal["BACK_IN_STOCK"]]
    steps: Required[list[FormStep]]
    triggers: list[FormTrigger]
    teasers: list[Teaser]
    dynamic_button: DynamicButton | None
    styles: dict[str, Any]
    properties: dict[str, Any]


class FormDefinition(TypedDict):
    """The versions of a form."""

    versions: list[FormVersion]


@action("GET /api/forms", limits="3/s 60/m", scopes="forms:read")
def get_forms(
    *,
    filter: str | None = None,
    sort: FormSort | None = None,
    fields_form: list[FormField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the forms of the account."""
    ...


@action(
    "GET /api/forms/{id}",
    limits="3/s 60/m",
    scopes="forms:read",
    seed={"fields__form__version": GONE, "fields_form_version": GONE, "include": GONE},
)
def get_form(*, id: str, fields_form: list[FormWithDefinitionField] | None = None) -> Envelope:
    """Get a form; with its definition if asked for."""
    ...


@action("GET /api/forms/{id}/form-versions", limits="3/s 60/m", scopes="forms:read")
def get_versions_for_form(
    *,
    id: str,
    filter: str | None = None,
    sort: FormSort | None = None,
    fields_form_version: list[FormVersionField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the versions of a form."""
    ...


@action("GET /api/forms/{id}/relationships/form-versions", limits="3/s 60/m", scopes="forms:read")
def get_version_ids_for_form(
    *,
    id: str,
    filter: str | None = None,
    sort: FormSort | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the ids of the versions of a form."""
    ...


@action("GET /api/form-versions/{id}", limits="3/s 60/m", scopes="forms:read")
def get_form_version(
    *,
    id: str,
    include: list[Literal["form"]] | None = None,
    fields_form_version: list[FormVersionField] | None = None,
    fields_form: list[FormField] | None = None,
) -> Envelope:
    """Get a version of a form."""
    ...


@action("GET /api/form-versions/{id}/form", limits="3/s 60/m", scopes="forms:read")
def get_form_for_form_version(*, id: str, fields_form: list[FormField] | None = None) -> Envelope:
    """Get the form that a version belongs to."""
    ...


@action("GET /api/form-versions/{id}/relationships/form", limits="3/s 60/m", scopes="forms:read")
def get_form_id_for_form_version(*, id: str) -> Envelope:
    """Get the id of the form that a version belongs to."""
    ...


@action(
    "POST /api/forms",
    type="form",
    limits="3/s 60/m",
    scopes="forms:write",
    repeat=never("the forms created since the call, by their name"),
)
def create_form(
    *,
    definition: FormDefinition,
    status: Literal["draft"],
    ab_test: bool,
    name: str,
    fields_form: list[FormWithDefinitionField] | None = None,
) -> Envelope:
    """Create a form as a draft.

    Names need not be unique, so that a repeat would make a second form.
    """
    ...


@action("DELETE /api/forms/{id}", limits="3/s 60/m", scopes="forms:write", repeat=SAFE)
def delete_form(*, id: str) -> Envelope:
    """Delete a form."""
    ...
