"""What the operations do: a function named like an operation handles it, and `generic` handles all others.

To give a section real behaviour, add a module here; nothing has to be registered.
"""

from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules

from sandbox.call import AdditionalFields, Handler
from sandbox.operations import Operation, Operations
from sandbox.sections import generic


@dataclass(slots=True)
class Sections:
    """The handlers and additional fields found in the modules of this package."""

    handlers: dict[str, Handler] = field(default_factory=dict)
    additional: AdditionalFields = field(default_factory=dict)

    def handler(self, operation: Operation) -> Handler:
        """The handler of an operation."""
        return self.handlers.get(operation.id) or generic.handler(operation)


def discover(operations: Operations) -> Sections:
    """Find the handlers and additional fields in all modules of this package."""
    sections = Sections()
    for info in iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        for name, value in vars(module).items():
            if name not in operations.by_id or not callable(value):
                continue
            if sections.handlers.setdefault(name, value) is not value:
                raise TypeError(f"{name} has two handlers, the second in {module.__name__}")
        sections.additional.update(getattr(module, "ADDITIONAL", {}))
    return sections
