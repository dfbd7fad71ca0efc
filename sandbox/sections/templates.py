"""Templates: create, update, clone and render; the definition as an additional field."""

from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import invalid, refusal
from sandbox.reading import documents, listings
from sandbox.reading.filters import Condition
from sandbox.records import templates
from sandbox.records.store import Resource
from sandbox.times import to_iso

MAX_TEMPLATES = 1000
EDITORS = ("CODE", "USER_DRAGGABLE", "SYSTEM_DRAGGABLE")


def get_templates(call: Call) -> Reply:
    """The reusable templates; copies that belong to messages are not listed."""
    call.query.conditions.append(Condition("equals", "reusable", (True,)))
    return listings.list_all(call, "template")


def create_template(call: Call) -> Reply:
    """Create a template; an account has at most 1,000."""
    _check_room(call)
    if call.attributes["editor_type"] not in EDITORS:
        raise invalid(f"Must be one of {', '.join(EDITORS)}.", "/data/attributes/editor_type")
    return documents.single(call, templates.create(call.store, call.attributes, call.now))


def update_template(call: Call) -> Reply:
    """Change what is given; null is ignored for what must have a value."""
    template = call.store.get("template", call.path_id)
    sent = dict(call.attributes)
    if "definition" in sent:
        template.private["definition"] = sent.pop("definition")
    template.attributes |= {name: value for name, value in sent.items() if value is not None or name in ("text", "amp")}
    call.store.touch(template, call.now)
    return documents.single(call, template)


def clone_template(call: Call) -> Reply:
    """Create a template like another one."""
    _check_room(call)
    original = call.store.get("template", call.data["id"])
    name = call.attributes.get("name") or f"Copy of {original.attributes['name']}"
    return documents.single(call, templates.copy(call.store, original, name, call.now))


def create_universal_content(call: Call) -> Reply:
    """Create a block for many templates. No screenshot of it is ever made."""
    at = to_iso(call.now)
    unseen = {"created": at, "updated": at, "screenshot_status": "never_generated", "screenshot_url": ""}
    return documents.single(call, call.store.add("template-universal-content", call.attributes | unseen))


def render_template(call: Call) -> Reply:
    """The template as rendered with this context."""
    template = call.store.get("template", call.data["id"])
    context = call.attributes["context"]
    shown = {name: templates.render(template.attributes[name], context) for name in ("html", "text", "amp")}
    return documents.single(call, Resource("template", template.id, template.number, template.attributes | shown))


def definition(call: Call, template: Resource) -> Any:
    """The content of a drag-and-drop template; null for one made of HTML."""
    return template.private["definition"]


ADDITIONAL = {("template", "definition"): definition}


def _check_room(call: Call) -> None:
    if sum(1 for one in call.store.all("template") if one.private["reusable"]) >= MAX_TEMPLATES:
        raise refusal(400, f"An account can have at most {MAX_TEMPLATES} templates.")
