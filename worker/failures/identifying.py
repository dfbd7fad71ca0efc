"""Which values distinguish a failed call without being personal data, by how its parameters are declared. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from worker.api.declaration import Declaration
from worker.api.parameters import Parameter
from worker.api.wire import Linkage, marker_of, unwrap
from worker.telemetry.masking import PERSONAL_NAMES, mask_text

_SHOPS_OWN = """
campaign campaign-message campaign-send-job catalog-category catalog-item catalog-variant coupon custom-metric
data-source flow form image list metric object-schema object-type segment tag tag-group template
template-universal-content web-feed webhook
"""

#: Resources that belong to a shop and not to a person: their ids and names may be shown.
SHOPS_OWN = frozenset(_SHOPS_OWN.split())

#: Attributes that name a resource.
NAMING = frozenset({"name", "title", "new_name"})

#: How much of a value is shown.
MAX_CHARACTERS = 80


def identify(declaration: Declaration, given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of a call's parameters, with the value of each that is the id or the name of the shop's own."""
    for name, value in given.items():
        parameter = declaration.parameters.get(name)
        shown = parameter is not None and isinstance(value, str) and _is_shown(declaration, parameter)
        yield f"{name}: {mask_text(value)[:MAX_CHARACTERS]}" if shown else name


def _is_shown(declaration: Declaration, parameter: Parameter) -> bool:
    if parameter.name in PERSONAL_NAMES:
        return False
    if linkage := marker_of(unwrap(parameter.annotation)[1], Linkage):
        return linkage.type in SHOPS_OWN
    if declaration.type not in SHOPS_OWN:
        return False
    if parameter.location == "body":
        return parameter.name in NAMING or parameter.wire == "data.id"
    return parameter.location == "path"
