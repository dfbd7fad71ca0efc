"""The table of operations: complete, routable, small."""

from importlib import resources

import tasks.registry  # noqa: F401  registers every action
from sandbox.operations import load
from sandbox.records.relations import Relations
from sandbox.sections import discover
from tests.cases import for_each
from worker.action import ACTIONS
from worker.api.body import check_of

OPERATIONS = load()


def test_the_table_has_every_action_and_is_small() -> None:
    assert set(OPERATIONS.by_id) == {name for name, each in ACTIONS.items() if each.declaration.package == "tasks"}
    assert len(resources.files("sandbox").joinpath("operations.json").read_bytes()) < 300_000


@for_each(OPERATIONS.by_id)
def test_the_sandbox_counts_the_windows_that_an_action_declares(id: str) -> None:
    assert OPERATIONS.by_id[id].limits == tuple(each.limit for each in ACTIONS[id].declaration.limits.windows)


@for_each(id for id, operation in OPERATIONS.by_id.items() if operation.body)
def test_a_body_that_an_operation_takes_has_a_known_shape(id: str) -> None:
    assert check_of("tasks", id), f"{id} is not in tasks/bodies.json, which `klaviyo revision --write-bodies` writes"


@for_each(OPERATIONS.by_id)
def test_an_operation_is_found_by_its_path_and_has_a_handler(id: str) -> None:
    operation = OPERATIONS.by_id[id]
    path = operation.path.replace("{id}", "01ABC").replace("{job_id}", "01ABC")
    methods, path_id = OPERATIONS.methods(path)
    assert methods[operation.method] is operation
    assert path_id == ("01ABC" if "{" in operation.path else None)
    assert callable(discover(OPERATIONS).handler(operation))


def test_relationships_are_known_from_both_ends() -> None:
    relations = Relations(OPERATIONS)
    assert relations.inverse("list", "profiles") == "lists"
    assert relations.inverse("profile", "lists") == "profiles"
    assert relations.inverse("tag", "tag-group") == "tags"
    assert relations.of("event")["metric"].target == "metric"
    assert not relations.of("event")["metric"].many
