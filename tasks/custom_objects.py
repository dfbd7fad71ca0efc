"""Custom objects: records of your own types, where they come from, and how they are related.

A data source takes records; a source mapping says which of their values become the properties and relationships of
an object; an object type has versions of its schema, of which one is current and one may be a draft.
"""

from typing import Annotated, Any, Literal, Required

from pydantic import Field
from typing_extensions import TypedDict

from tasks.shapes import UpTo100
from worker.action import action
from worker.api.jsonapi import Envelope
from worker.api.repeat import SAFE, never, with_key
from worker.api.wire import At, Linkage, Linkages, Resource, Resources

DataSourceField = Literal["description", "id", "namespace", "title", "visibility"]
ObjectSchemaField = Literal[
    "description", "id", "properties", "published_at", "required", "status", "title", "visibility"
]
ObjectTypeField = Literal["created_at", "description", "id", "namespace", "status", "title", "updated_at"]
RelatedObjectTypeField = Literal[
    "created_at", "description", "id", "meta", "meta.description", "meta.name", "meta.relationship_id", "namespace",
    "status", "title", "updated_at",
]  # fmt: skip
ProfileObjectTypeField = Literal["id", "meta", "meta.description", "meta.name", "meta.relationship_id"]
ObjectTypeInclude = Literal["current-schema", "draft-schema", "object-types", "profile-object-types", "schema-versions"]
ObjectRecordField = Literal["id", "record_properties"]
ObjectIngestionLogField = Literal["errors", "event_type", "id", "status", "summary", "timestamp"]
RelatedObjectSchemaField = Literal[
    "description", "id", "meta", "meta.description", "meta.name", "meta.relationship_id", "properties", "published_at",
    "required", "status", "title", "visibility",
]  # fmt: skip
ProfileObjectSchemaField = Literal["id", "meta", "meta.description", "meta.name", "meta.relationship_id"]
SourceMappingField = Literal["id", "property_mappings", "relationship_mappings"]
Visibility = Literal["private", "shared"]
SchemaStatus = Literal["active", "draft"]
DataSourceId = Annotated[str, At("data.relationships.data-source.data"), Linkage("data-source")]
ObjectTypeId = Annotated[str, At("data.relationships.object-type.data"), Linkage("object-type")]


class SchemaProperty(TypedDict, total=False):
    """A property of an object; you choose its id, and source mappings refer to it."""

    id: Required[int]
    name: Required[str]
    type: Required[Literal["boolean", "float", "int", "string", "timestamp"]]
    description: str | None


class ConstantProperty(TypedDict):
    """A property with the same value in every object."""

    id: int
    type: Literal["constant"]
    value: bool | int | float | str


class PropertySource(TypedDict):
    """Where in the records of a data source to find the value and the object's id."""

    source_id: str
    id_path: str
    data_path: str


class SourcedProperty(TypedDict):
    """A property with a value from the records."""

    id: int
    type: Literal["simple"]
    source: PropertySource


PropertyMapping = Annotated[ConstantProperty | SourcedProperty, Field(discriminator="type")]


class RelatedIdPath(TypedDict):
    """Where to find an identifier of a profile."""

    identifier_type: Literal["anonymous", "email", "external-id", "klaviyo-id", "phone"]
    path: str


class ObjectSource(TypedDict, total=False):
    """Where to find the ids of two related objects."""

    source_id: Required[str]
    type: Required[Literal["custom-object"]]
    id_path: Required[str]
    related_id_path: Required[str]
    update_strategy: Literal["additive", "replace_from_origin"] | None


class ProfileSource(TypedDict, total=False):
    """Where to find the id of an object and the identifiers of a profile."""

    source_id: Required[str]
    type: Required[Literal["profile"]]
    id_path: Required[str]
    related_id_paths: Required[list[RelatedIdPath]]
    update_strategy: Literal["additive", "replace_from_origin"] | None


class RelationshipMapping(TypedDict):
    """A relationship with ids from the records."""

    relationship_id: str
    type: Literal["simple"]
    source: Annotated[ObjectSource | ProfileSource, Field(discriminator="type")]


class SourceMapping(TypedDict, total=False):
    """How records become objects."""

    property_mappings: list[PropertyMapping] | None
    relationship_mappings: list[RelationshipMapping] | None


#: The mapping of a schema that is being made.
NewSourceMapping = Annotated[SourceMapping, At("data.attributes.source-mapping.data"), Resource("source-mapping")]


class ObjectSchema(TypedDict, total=False):
    """The first schema of an object type."""

    properties: list[SchemaProperty] | None
    status: SchemaStatus | None
    required: list[str] | None
    source_mapping: Annotated[SourceMapping, At("attributes.source-mapping.data"), Resource("source-mapping")]


class DataSourceRecord(TypedDict):
    """A record as the source has it."""

    record: dict[str, Any]


class NewRelationship(TypedDict, total=False):
    """A relationship to another schema."""

    id: Required[str]
    name: Required[Annotated[str, At("meta.name")]]
    description: Annotated[str | None, At("meta.description")]


class OldRelationship(TypedDict):
    """A relationship by its own id, and the schema that it points to."""

    id: str
    relationship_id: Annotated[str, At("meta.relationship_id")]


@action("GET /api/data-sources", limits="3/s 60/m", scopes="custom-objects:read")
def get_data_sources(
    *,
    fields_data_source: list[DataSourceField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the data sources of the account."""
    ...


@action("GET /api/data-sources/{id}", limits="3/s 60/m", scopes="custom-objects:read")
def get_data_source(*, id: str, fields_data_source: list[DataSourceField] | None = None) -> Envelope:
    """Get a data source."""
    ...


@action("GET /api/object-types", limits="3/s 60/m", scopes="custom-objects:read")
def get_object_types(
    *,
    filter: str | None = None,
    include: list[Literal["current-schema", "draft-schema"]] | None = None,
    fields_object_schema: list[ObjectSchemaField] | None = None,
    fields_object_type: list[ObjectTypeField] | None = None,
) -> Envelope:
    """List the object types of the account."""
    ...


@action("GET /api/object-types/{id}", limits="3/s 60/m", scopes="custom-objects:read")
def get_object_type(
    *,
    id: str,
    include: list[ObjectTypeInclude] | None = None,
    fields_object_schema: list[ObjectSchemaField] | None = None,
    fields_object_type: list[RelatedObjectTypeField] | None = None,
    fields_profile_object_type: list[ProfileObjectTypeField] | None = None,
) -> Envelope:
    """Get an object type."""
    ...


@action("GET /api/object-types/{id}/current-schema", limits="3/s 60/m", scopes="custom-objects:read")
def get_current_schema_for_object_type(
    *, id: str, fields_object_schema: list[ObjectSchemaField] | None = None
) -> Envelope:
    """Get the published schema of an object type."""
    ...


@action("GET /api/object-types/{id}/relationships/current-schema", limits="3/s 60/m", scopes="custom-objects:read")
def get_current_schema_id_for_object_type(*, id: str) -> Envelope:
    """Get the id of the published schema of an object type."""
    ...


@action("GET /api/object-types/{id}/draft-schema", limits="3/s 60/m", scopes="custom-objects:read")
def get_draft_schema_for_object_type(
    *, id: str, fields_object_schema: list[ObjectSchemaField] | None = None
) -> Envelope:
    """Get the draft schema of an object type."""
    ...


@action("GET /api/object-types/{id}/relationships/draft-schema", limits="3/s 60/m", scopes="custom-objects:read")
def get_draft_schema_id_for_object_type(*, id: str) -> Envelope:
    """Get the id of the draft schema of an object type."""
    ...


@action("GET /api/object-types/{id}/schema-versions", limits="3/s 60/m", scopes="custom-objects:read")
def get_schema_versions_for_object_type(
    *, id: str, fields_object_schema: list[ObjectSchemaField] | None = None
) -> Envelope:
    """List all schemas that an object type has had."""
    ...


@action("GET /api/object-types/{id}/relationships/schema-versions", limits="3/s 60/m", scopes="custom-objects:read")
def get_schema_version_ids_for_object_type(*, id: str) -> Envelope:
    """List the ids of all schemas that an object type has had."""
    ...


@action("GET /api/object-types/{id}/relationships/object-types", limits="3/s 60/m", scopes="custom-objects:read")
def get_object_type_relationships(*, id: str) -> Envelope:
    """List the object types that an object type is related to."""
    ...


@action(
    "GET /api/object-types/{id}/relationships/profile-object-types", limits="3/s 60/m", scopes="custom-objects:read"
)
def get_profile_type_relationships(*, id: str) -> Envelope:
    """List the relationships of an object type to profiles."""
    ...


@action("GET /api/object-types/{id}/object-records", limits="3/s 60/m", scopes="custom-objects:read")
def get_records_for_object_type(
    *,
    id: str,
    fields_object_record: list[ObjectRecordField] | None = None,
    page_cursor: str | None = None,
    page_size: UpTo100 | None = None,
) -> Envelope:
    """List the objects of a type."""
    ...


@action("GET /api/object-types/{id}/relationships/object-records", limits="3/s 60/m", scopes="custom-objects:read")
def get_record_ids_for_object_type(
    *, id: str, page_cursor: str | None = None, page_size: UpTo100 | None = None
) -> Envelope:
    """List the ids of the objects of a type."""
    ...


@action("GET /api/object-types/{id}/object-ingestion-logs", limits="1/s 15/m", scopes="custom-objects:read")
def get_ingestion_logs_for_object_type(
    *,
    id: str,
    filter: str | None = None,
    include: list[Literal["object-record", "object-type"]] | None = None,
    fields_object_ingestion_log: list[ObjectIngestionLogField] | None = None,
    fields_object_record: list[ObjectRecordField] | None = None,
    fields_object_type: list[ObjectTypeField] | None = None,
    page_cursor: str | None = None,
) -> Envelope:
    """List the records that could not become objects.

    Klaviyo logs failures only: no entry does not mean that a record went in. Entries are kept for 14 days and come
    newest first, 50 a page.
    """
    ...


@action(
    "GET /api/object-types/{id}/relationships/object-ingestion-logs", limits="1/s 15/m", scopes="custom-objects:read"
)
def get_ingestion_log_ids_for_object_type(
    *, id: str, filter: str | None = None, page_cursor: str | None = None
) -> Envelope:
    """List the ids of the entries on records that could not become objects.

    The same list as `get_ingestion_logs_for_object_type`.
    """
    ...


@action("GET /api/object-records/{id}", limits="3/s 60/m", scopes="custom-objects:read")
def get_object_record(*, id: str, fields_object_record: list[ObjectRecordField] | None = None) -> Envelope:
    """Get an object.

    Its id is compound.
    """
    ...


@action("GET /api/object-schemas/{id}", limits="3/s 60/m", scopes="custom-objects:read")
def get_object_schema(
    *,
    id: str,
    include: list[Literal["object-schemas", "profile-object-schemas", "source-mapping"]] | None = None,
    fields_object_schema: list[RelatedObjectSchemaField] | None = None,
    fields_profile_object_schema: list[ProfileObjectSchemaField] | None = None,
    fields_source_mapping: list[SourceMappingField] | None = None,
) -> Envelope:
    """Get a schema."""
    ...


@action("GET /api/object-schemas/{id}/relationships/object-schemas", limits="3/s 60/m", scopes="custom-objects:read")
def get_object_schema_relationships(*, id: str) -> Envelope:
    """List the schemas that a schema is related to."""
    ...


@action(
    "GET /api/object-schemas/{id}/relationships/profile-object-schemas", limits="3/s 60/m", scopes="custom-objects:read"
)
def get_profile_schema_relationships(*, id: str) -> Envelope:
    """List the relationships of a schema to profiles."""
    ...


@action("GET /api/object-schemas/{id}/source-mapping", limits="3/s 60/m", scopes="custom-objects:read")
def get_source_mapping_for_object_schema(
    *, id: str, fields_source_mapping: list[SourceMappingField] | None = None
) -> Envelope:
    """Get the source mapping of a schema."""
    ...


@action("GET /api/object-schemas/{id}/relationships/source-mapping", limits="3/s 60/m", scopes="custom-objects:read")
def get_source_mapping_id_for_object_schema(*, id: str) -> Envelope:
    """Get the id of the source mapping of a schema."""
    ...


@action("GET /api/source-mappings/{id}", limits="3/s 60/m", scopes="custom-objects:read")
def get_source_mapping(*, id: str, fields_source_mapping: list[SourceMappingField] | None = None) -> Envelope:
    """Get a source mapping."""
    ...


@action(
    "POST /api/data-sources",
    type="data-source",
    limits="3/s 60/m",
    scopes="custom-objects:write",
    repeat=never("`get_data_sources`, by title"),
)
def create_data_source(
    *,
    title: str,
    visibility: Visibility | None = None,
    description: str | None = None,
    namespace: str | None = None,
    fields_data_source: list[DataSourceField] | None = None,
) -> Envelope:
    """Create a data source."""
    ...


@action("DELETE /api/data-sources/{id}", limits="3/s 60/m", scopes="custom-objects:write", repeat=SAFE)
def delete_data_source(*, id: str) -> Envelope:
    """Delete a data source."""
    ...


@action(
    "POST /api/data-source-record-create-jobs",
    type="data-source-record-create-job",
    limits="75/s 750/m",
    scopes="custom-objects:write",
    repeat=with_key("the id in the record, where the source mapping says"),
    max_body=512_000,
)
def create_data_source_record(
    *,
    record: Annotated[
        dict[str, Any], At("data.attributes.data-source-record.data.attributes.record", type="data-source-record")
    ],
    data_source_id: DataSourceId,
) -> Envelope:
    """Send a data source one record, of up to 512 KB.

    Klaviyo answers with 204 and says no more; failures show in `get_ingestion_logs_for_object_type`.
    """
    ...


@action(
    "POST /api/data-source-record-bulk-create-jobs",
    type="data-source-record-bulk-create-job",
    limits="3/s 15/m",
    scopes="custom-objects:write",
    repeat=with_key("the id in each record, where the source mapping says"),
    max_body=4_000_000,
)
def bulk_create_data_source_records(
    *,
    data_source_records: Annotated[
        list[DataSourceRecord],
        Field(min_length=1, max_length=500),
        At("data.attributes.data-source-records.data"),
        Resources("data-source-record", max_bytes=512_000),
    ],
    data_source_id: DataSourceId,
) -> Envelope:
    """Send a data source up to 500 records, of 512 KB each and 4 MB in all.

    Klaviyo answers with 204 and says no more; failures show in `get_ingestion_logs_for_object_type`.
    """
    ...


@action(
    "POST /api/object-types",
    type="object-type",
    limits="3/s 60/m",
    scopes="custom-objects:write",
    repeat=never("`get_object_types`, by title"),
)
def create_object_type(
    *,
    title: str,
    description: str | None = None,
    visibility: Visibility | None = None,
    namespace: str | None = None,
    object_schema: Annotated[ObjectSchema, At("data.attributes.object-schema.data"), Resource("object-schema")]
    | None = None,
    fields_object_type: list[ObjectTypeField] | None = None,
) -> Envelope:
    """Create an object type, with its first schema if there is one."""
    ...


@action("DELETE /api/object-types/{id}", limits="3/s 60/m", scopes="custom-objects:write", repeat=SAFE)
def delete_object_type(*, id: str) -> Envelope:
    """Delete an object type."""
    ...


@action(
    "POST /api/object-schemas",
    type="object-schema",
    limits="3/s 60/m",
    scopes="custom-objects:write",
    repeat=never("the schema versions of the object type"),
)
def create_object_schema(
    *,
    title: str,
    properties: list[SchemaProperty],
    description: str | None = None,
    status: SchemaStatus | None = None,
    required: list[str] | None = None,
    source_mapping: NewSourceMapping | None = None,
    object_type_id: ObjectTypeId | None = None,
    fields_object_schema: list[ObjectSchemaField] | None = None,
) -> Envelope:
    """Create a version of the schema of an object type."""
    ...


@action(
    "PATCH /api/object-schemas/{id}",
    type="object-schema",
    limits="3/s 60/m",
    scopes="custom-objects:write",
    repeat=SAFE,
)
def update_object_schema(
    *,
    id: str,
    title: str | None = None,
    properties: list[SchemaProperty] | None = None,
    description: str | None = None,
    status: SchemaStatus | None = None,
    required: list[str] | None = None,
    fields_object_schema: list[ObjectSchemaField] | None = None,
) -> Envelope:
    """Update a schema."""
    ...


@action(
    "POST /api/object-schemas/{id}/relationships/object-schemas",
    limits="3/s 60/m",
    scopes="custom-objects:write",
    repeat=never("`get_object_schema_relationships`, by name"),
)
def create_object_schema_relationship(
    *, id: str, related: Annotated[list[NewRelationship], At("data"), Resources("object-schema")]
) -> Envelope:
    """Relate a schema to others.

    Flow filters and segments do not see relationships between objects.
    """
    ...


@action(
    "PATCH /api/object-schemas/{id}/relationships/object-schemas",
    limits="3/s 60/m",
    scopes="custom-objects:write",
    repeat=SAFE,
)
def update_object_schema_relationship(
    *,
    id: str,
    related_id: Annotated[str, At("data.id", type="object-schema")],
    relationship_id: Annotated[str, At("data.meta.relationship_id")],
    name: Annotated[str, At("data.meta.name")] | None = None,
    description: Annotated[str, At("data.meta.description")] | None = None,
) -> Envelope:
    """Rename a relationship between two schemas."""
    ...


@action(
    "DELETE /api/object-schemas/{id}/relationships/object-schemas",
    limits="3/s 60/m",
    scopes="custom-objects:write",
    repeat=SAFE,
)
def delete_object_schema_relationship(
    *, id: str, related: Annotated[list[OldRelationship], At("data"), Resources("object-schema")]
) -> Envelope:
    """Remove relationships of a schema to others."""
    ...


@action(
    "POST /api/object-schemas/{id}/relationships/profile-object-schemas",
    limits="3/s 60/m",
    scopes="custom-objects:write",
    repeat=never("`get_profile_schema_relationships`, by name"),
)
def create_profile_schema_relationship(
    *, id: str, related: Annotated[list[NewRelationship], At("data"), Resources("profile-object-schema")]
) -> Envelope:
    """Relate a schema to profiles."""
    ...


@action(
    "PATCH /api/object-schemas/{id}/relationships/profile-object-schemas",
    limits="3/s 60/m",
    scopes="custom-objects:write",
    repeat=SAFE,
)
def update_profile_schema_relationship(
    *,
    id: str,
    related_id: Annotated[str, At("data.id", type="profile-object-schema")],
    relationship_id: Annotated[str, At("data.meta.relationship_id")],
    name: Annotated[str, At("data.meta.name")] | None = None,
    description: Annotated[str, At("data.meta.description")] | None = None,
) -> Envelope:
    """Rename a relationship of a schema to profiles."""
    ...


@action(
    "DELETE /api/object-schemas/{id}/relationships/profile-object-schemas",
    limits="3/s 60/m",
    scopes="custom-objects:write",
    repeat=SAFE,
)
def delete_profile_schema_relationship(
    *, id: str, related: Annotated[list[OldRelationship], At("data"), Resources("profile-object-schema")]
) -> Envelope:
    """Remove relationships of a schema to profiles."""
    ...


@action(
    "PATCH /api/source-mappings/{id}",
    type="source-mapping",
    limits="3/s 60/m",
    scopes="custom-objects:write",
    repeat=SAFE,
)
def update_source_mapping(
    *,
    id: str,
    property_mappings: list[PropertyMapping] | None = None,
    relationship_mappings: list[RelationshipMapping] | None = None,
    fields_source_mapping: list[SourceMappingField] | None = None,
) -> Envelope:
    """Update how records become objects."""
    ...


@action(
    "POST /api/object-record-bulk-delete-jobs",
    type="object-record-bulk-delete-job",
    limits="3/s 60/m",
    scopes="custom-objects:write",
    repeat=SAFE,
)
def bulk_delete_object_records(
    *,
    object_record_ids: Annotated[
        list[str],
        Field(min_length=1, max_length=500),
        At("data.relationships.object-records.data"),
        Linkages("object-record"),
    ],
) -> Envelope:
    """Delete up to 500 objects.

    Klaviyo answers with 202 and says no more.
    """
    ...
