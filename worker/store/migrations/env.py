"""What Alembic runs to take the steps, on the connection that `worker.store.migrate` gives it."""

from alembic import context

from worker.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
