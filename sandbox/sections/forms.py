"""Forms: read with their definition, created from one, deleted with their versions."""

from sandbox.call import Call, Reply
from sandbox.errors import invalid
from sandbox.reading import documents
from sandbox.records import forms
from sandbox.records.store import Resource

_VERSIONS = "/data/attributes/definition/versions"


def get_form(call: Call) -> Reply:
    """One form. This answer has its definition; a listing has not."""
    return _defined(call, call.store.get("form", call.path_id))


def create_form(call: Call) -> Reply:
    """A draft with its versions."""
    sent = call.attributes
    if not sent["definition"]["versions"]:
        raise invalid("At least one version is required.", _VERSIONS)
    return _defined(call, forms.create(call.store, sent, call.now))


def delete_form(call: Call) -> Reply:
    """With its versions."""
    forms.remove(call.store, call.store.get("form", call.path_id))
    return Reply()


def _defined(call: Call, form: Resource) -> Reply:
    attributes = form.attributes | {"definition": form.private["definition"]}
    return documents.single(call, Resource(form.type, form.id, form.number, attributes, form.links))
