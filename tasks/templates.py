"""Message templates, and universal content: blocks that many templates share."""

from typing import Annotated, Any, Literal, Required

from typing_extensions import TypedDict

from tasks.shapes import UpTo10, UpTo100
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.parameters import Params
from worker.api.repeat import SAFE, never
from worker.api.wire import At, NotNull

TemplateSummaryField = Literal["amp", "created", "editor_type", "html", "id", "name", "text", "updated"]
BlockType = Literal[
    "button", "coupon", "drop_shadow", "header", "horizontal_rule", "html", "image", "product", "review", "social",
    "spacer", "split", "table", "text", "video",
]  # fmt: skip
UniversalBlockType = Literal["button", "drop_shadow", "horizontal_rule", "html", "image", "spacer", "text"]
StyleType = Literal[
    "base-styles", "text-styles", "heading-1-styles", "heading-2-styles", "heading-3-styles", "heading-4-styles",
    "link-styles", "mobile-styles",
]  # fmt: skip
TemplateField = Literal[
    "amp", "created", "definition", "definition.body", "definition.body.id", "definition.body.properties",
    "definition.body.properties.css_class", "definition.body.properties.id", "definition.body.sections",
    "definition.body.styles", "definition.body.styles.background_color", "definition.body.styles.width",
    "definition.id", "definition.styles", "definition.template_id", "editor_type", "html", "id", "name", "text",
    "updated",
]  # fmt: skip
TemplateSort = Literal["created", "-created", "id", "-id", "name", "-name", "updated", "-updated"]
TemplateUniversalContentField = Literal[
    "created", "definition", "definition.content_type", "definition.data", "definition.data.content",
    "definition.data.display_options", "definition.data.display_options.content_repeat",
    "definition.data.display_options.content_repeat.item_alias",
    "definition.data.display_options.content_repeat.repeat_for", "definition.data.display_options.show_on",
    "definition.data.display_options.visible_check", "definition.data.styles",
    "definition.data.styles.background_color", "definition.data.styles.block_background_color",
    "definition.data.styles.block_border_color", "definition.data.styles.block_border_style",
    "definition.data.styles.block_border_width", "definition.data.styles.block_padding_bottom",
    "definition.data.styles.block_padding_left", "definition.data.styles.block_padding_right",
    "definition.data.styles.block_padding_top", "definition.data.styles.color",
    "definition.data.styles.extra_css_class", "definition.data.styles.font_family", "definition.data.styles.font_size",
    "definition.data.styles.font_style", "definition.data.styles.font_weight",
    "definition.data.styles.inner_padding_bottom", "definition.data.styles.inner_padding_left",
    "definition.data.styles.inner_padding_right", "definition.data.styles.inner_padding_top",
    "definition.data.styles.letter_spacing", "definition.data.styles.line_height",
    "definition.data.styles.mobile_stretch_content", "definition.data.styles.text_align",
    "definition.data.styles.text_decoration", "definition.data.styles.text_table_layout", "definition.type", "id",
    "name", "screenshot_status", "screenshot_url", "updated",
]  # fmt: skip
EditorType = Literal["CODE", "USER_DRAGGABLE", "SYSTEM_DRAGGABLE"]


class Block(TypedDict, total=False):
    """A block of a column: its type, and the content, properties and styles that go with the type."""

    id: str | None
    data_id: str | None
    universal_id: str | None
    content_type: Required[Literal["block"]]
    type: Required[BlockType]
    data: Required[dict[str, Any] | None]
    subblocks: list[dict[str, Any]] | None


class Column(TypedDict, total=False):
    """A column of a row."""

    id: str | None
    data_id: str | None
    data: dict[str, Any] | None
    blocks: list[Block] | None


class Row(TypedDict, total=False):
    """A row of a section; its styles say how the columns share the width."""

    id: str | None
    data_id: str | None
    data: Required[dict[str, Any]]
    columns: list[Column] | None


class SectionOfBody(TypedDict, total=False):
    """A section of a template's body."""

    id: str | None
    data_id: str | None
    universal_id: str | None
    content_type: Required[Literal["section"]]
    type: Required[Literal["section"]]
    data: Required[dict[str, Any]]
    rows: list[Row] | None


class Body(TypedDict, total=False):
    """What a drag-and-drop template consists of, from top to bottom."""

    id: str | None
    properties: Required[dict[str, Any]]
    styles: Required[dict[str, Any]]
    sections: list[SectionOfBody] | None


class Style(TypedDict, total=False):
    """How one kind of text, or everything, looks unless a block says otherwise."""

    id: str | None
    style_type: Required[StyleType]
    properties: dict[str, Any]
    styles: Required[dict[str, Any]]


class TemplateDefinition(TypedDict, total=False):
    """A drag-and-drop template as data."""

    id: str | None
    template_id: str | None
    body: Required[Body]
    styles: Required[list[Style]]


class UniversalBlock(TypedDict):
    """A block on its own. Only these types can be created and updated through the API."""

    content_type: Literal["block"]
    type: UniversalBlockType
    data: dict[str, Any] | None


def with_context(params: Params) -> None:
    """Send an empty context if none is given: Klaviyo requires one."""
    params.setdefault("context", {})


@action("GET /api/templates", limits="75/s 750/m", scopes="templates:read")
def get_templates(
    *,
    filter: str | None = None,
    sort: TemplateSort | None = None,
    fields_template: list[TemplateField] | None = None,
    additional_fields_template: list[Literal["definition"]] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo10 | None = None,
) -> Envelope:
    """List the templates of the account."""
    ...


@action("GET /api/templates/{id}", limits="75/s 750/m", scopes="templates:read")
def get_template(
    *,
    id: str,
    fields_template: list[TemplateField] | None = None,
    additional_fields_template: list[Literal["definition"]] | None = None,
) -> Envelope:
    """Get a template."""
    ...


@action(
    "POST /api/templates",
    type="template",
    limits="75/s 750/m",
    scopes="templates:write",
    repeat=never("the templates created since the call, by their name"),
)
def create_template(
    *,
    name: str,
    editor_type: EditorType,
    html: str | None = None,
    definition: TemplateDefinition | None = None,
    text: str | None = None,
    amp: str | None = None,
    fields_template: list[TemplateField] | None = None,
    additional_fields_template: list[Literal["definition"]] | None = None,
) -> Envelope:
    """Create a template from HTML, or from a drag-and-drop definition.

    An account has room for 1,000 templates. Names need not be unique, so that a repeat would make a second one.
    """
    ...


@action("PATCH /api/templates/{id}", type="template", limits="75/s 750/m", scopes="templates:write", repeat=SAFE)
def update_template(
    *,
    id: str,
    name: str | None = None,
    html: str | None = None,
    definition: TemplateDefinition | None = None,
    text: str | None = None,
    amp: str | None = None,
    fields_template: list[TemplateField] | None = None,
    additional_fields_template: list[Literal["definition"]] | None = None,
) -> Envelope:
    """Update a template."""
    ...


@action("DELETE /api/templates/{id}", limits="75/s 750/m", scopes="templates:write", repeat=SAFE)
def delete_template(*, id: str) -> Envelope:
    """Delete a template."""
    ...


@action(
    "POST /api/template-clone",
    type="template",
    limits="75/s 750/m",
    scopes="templates:write",
    repeat=never("the templates created since the call, by their name"),
    names_2024="create_template_clone",
)
def clone_template(
    *,
    id: Annotated[str, At("data.id")],
    name: str | None = None,
    fields_template: list[TemplateSummaryField] | None = None,
) -> Envelope:
    """Copy a template.

    An account has room for 1,000 templates.
    """
    ...


@action(
    "POST /api/template-render",
    type="template",
    limits="3/s 60/m",
    scopes="templates:read",
    repeat=SAFE,
    names_2024="create_template_render",
    prepare=with_context,
)
def render_template(
    *,
    id: Annotated[str, At("data.id")],
    context: Annotated[dict[str, Any] | None, NotNull()] = None,
    fields_template: list[TemplateSummaryField] | None = None,
) -> Envelope:
    """Render a template for a context.

    Nothing is stored. Nested variables of the template are nested in the context, too.
    """
    ...


@action("GET /api/template-universal-content", limits="75/s 750/m", scopes="templates:read")
def get_all_universal_content(
    *,
    filter: str | None = None,
    sort: TemplateSort | None = None,
    fields_template_universal_content: list[TemplateUniversalContentField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the universal content of the account."""
    ...


@action("GET /api/template-universal-content/{id}", limits="75/s 750/m", scopes="templates:read")
def get_universal_content(
    *, id: str, fields_template_universal_content: list[TemplateUniversalContentField] | None = None
) -> Envelope:
    """Get universal content."""
    ...


@action(
    "POST /api/template-universal-content",
    type="template-universal-content",
    limits="75/s 750/m",
    scopes="templates:write",
    repeat=never("the universal content created since the call, by its name"),
)
def create_universal_content(
    *,
    name: str,
    definition: UniversalBlock,
    fields_template_universal_content: list[TemplateUniversalContentField] | None = None,
) -> Envelope:
    """Create a block that many templates share."""
    ...


@action(
    "PATCH /api/template-universal-content/{id}",
    type="template-universal-content",
    limits="75/s 750/m",
    scopes="templates:write",
    repeat=SAFE,
)
def update_universal_content(
    *,
    id: str,
    name: str | None = None,
    definition: UniversalBlock | None = None,
    fields_template_universal_content: list[TemplateUniversalContentField] | None = None,
) -> Envelope:
    """Update a shared block in every template that has it."""
    ...


@action("DELETE /api/template-universal-content/{id}", limits="75/s 750/m", scopes="templates:write", repeat=SAFE)
def delete_universal_content(*, id: str) -> Envelope:
    """Delete universal content."""
    ...
