"""Alembic migrations of the gallery's tables."""
