"""The document's schemas: generated from the wire types, then brought in line with what is really read and written."""

import msgspec

from varsel.api.openapi.members import describe_members
from varsel.api.openapi.pieces import Json, ref
from varsel.api.openapi.read_schemas import as_read
from varsel.api.openapi.written_schemas import PROBLEMS, as_written, name_the_statuses
from varsel.api.wire import (
    EmailOrderRequest,
    EmailSummary,
    OrderList,
    OrderPlaced,
    OrderRequest,
    OrderWithStatusView,
    SendCondition,
)

_ON_THE_WIRE = (
    EmailOrderRequest,
    OrderRequest,
    OrderPlaced,
    OrderList,
    OrderWithStatusView,
    EmailSummary,
    SendCondition,
)


def build_schemas() -> dict[str, Json]:
    """Every schema of the document by its name."""
    _, generated = msgspec.json.schema_components(_ON_THE_WIRE, ref_template=ref("{name}")["$ref"])
    schemas = {
        name: as_read(name, schema) if name.endswith("Request") else as_written(schema)
        for name, schema in generated.items()
    }
    name_the_statuses(schemas)
    schemas |= PROBLEMS
    describe_members(schemas)
    return dict(sorted(schemas.items()))
