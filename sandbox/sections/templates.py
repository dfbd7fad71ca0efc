"""Templates: creation, change, clone and rendering; the definition as an additional field."""

from typing import Any

from sandbox.call import Call, Reply
from sandbox.errors import invalid, refusal
from sandbox.reading import documents, listings
from sandbox.reading.filters import Condition
from sandbox.records import templates
from sandbox.records.store import Resource
from sandbox.times import written

MOST = 1000
EDITORS = ("CODE", "USER_DRAGGABLE", "SYSTEM_DRAGGABLE")


def get_templates(call: Call) -> Reply:
    """The reusable ones; the copies that belong to messages are found through these."""
    call.query.conditions.append(Condition("equals", "reusable", (True,)))
    return listings.everything(call, "template")


def create_template(call: Call) -> Reply:
    """At most 1,000 in an account."""
    _check_room(call)
    if call.attributes["editor_type"] not in EDITORS:
        raise invalid(f"Must be one of {', '.join(EDITORS)}.", "/data/attributes/editor_type")
    return documents.single(call, templates.create(call.store, call.attributes, call.now))


def update_template(call: Call) -> Reply:
    """Left out, or null for what must have a value, is left as it is."""
    template = call.store.get("template", call.path_id)
    sent = dict(call.attributes)
    if "definition" in sent:
        template.private["definition"] = sent.pop("definition")
    template.attributes |= {name: value for name, value in sent.items() if value is not None or name in ("text", "amp")}
    call.store.touch(template, call.now)
    return documents.single(call, template)


def clone_template(call: Call) -> Reply:
    """A new template like another one."""
    _check_room(call)
    original = call.store.get("template", call.data["id"])
    name = call.attributes.get("name") or f"Copy of {original.attributes['name']}"
    return documents.single(call, templates.copy(call.store, original, name, call.now))


def create_universal_content(call: Call) -> Reply:
    """A block for many templates. Nobody ever makes a picture of it."""
    at = written(call.now)
    unseen = {"created": at, "updated": at, "screenshot_status": "never_generated", "screenshot_url": ""}
    return documents.single(call, call.store.add("template-universal-content", call.attributes | unseen))


def render_template(call: Call) -> Reply:
    """The template as a profile with this context would see it."""
    template = call.store.get("template", call.data["id"])
    context = call.attributes["context"]
    shown = {name: templates.rendered(template.attributes[name], context) for name in ("html", "text", "amp")}
    return documents.single(call, Resource("template", template.id, template.number, template.attributes | shown))


def definition(call: Call, template: Resource) -> Any:
    """What a drag-and-drop template is made of; null for one made of HTML."""
    return template.private["definition"]


ADDITIONAL = {("template", "definition"): definition}


def _check_room(call: Call) -> None:
    if sum(1 for one in call.store.all("template") if one.private["reusable"]) >= MOST:
        raise refusal(400, f"An account can have at most {MOST} templates.")
