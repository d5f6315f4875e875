"""Alembic's migrations, oldest first under `versions`. A released one is never changed."""
