"""Run by Alembic: migrates over the connection that it is handed."""

from alembic import context

from model_server.gallery.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
