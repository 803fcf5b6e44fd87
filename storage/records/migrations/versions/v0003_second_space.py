"""Two spaces side by side, for re-indexing with another pack; and who may use these tables.

Only added to: a process of the version before goes on working beside this one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0003"
down_revision = "0002"

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade(op: Operations) -> None:
    """From 0002."""
    op.add_column(
        "spaces", sa.Column("behind", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    )
    op.add_column("spaces", sa.Column("target", sa.Text))
    op.create_table(
        "space_covers",
        sa.Column("space", _NAME, primary_key=True),
        sa.Column("covered", _NAME, primary_key=True),
        sqlite_with_rowid=False,
    )
    schema = op.create_table("schema_compatibility", sa.Column("oldest_code", sa.Text))
    # A later step that only adds leaves it; one that takes something away says its own number.
    op.bulk_insert(schema, [{"oldest_code": revision}])
