"""What Alembic runs to apply the migrations, on the connection that `schedules.store.migrate` gives it."""

from alembic import context

from schedules.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
