"""Forms: read with their definition, create from one, delete with their versions."""

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.reading import documents
from sandbox.records import forms
from sandbox.records.store import Resource

_VERSIONS = "/data/attributes/definition/versions"


def get_form(call: Call) -> Reply:
    """One form, with its definition, which listings do not have."""
    return _defined(call, call.store.get("form", call.path_id))


def create_form(call: Call) -> Reply:
    """Create a form with its versions."""
    sent = call.attributes
    if not sent["definition"]["versions"]:
        raise invalid("At least one version is required.", _VERSIONS)
    return _defined(call, forms.create(call.store, sent, call.now))


def delete_form(call: Call) -> Reply:
    """Delete a form, with its versions."""
    forms.remove(call.store, call.store.get("form", call.path_id))
    return Reply()


def _defined(call: Call, form: Resource) -> Reply:
    attributes = form.attributes | {"definition": form.private["definition"]}
    return documents.single(call, Resource(form.type, form.id, form.number, attributes, form.links))
