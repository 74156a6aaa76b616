"""What Alembic runs: the migrations, over the connection that `database.migrate` gives it."""

from __future__ import annotations

from alembic import context

from codesieve.server.jobs.sql.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
