"""What outlives the process: SQLAlchemy Core over SQLite or PostgreSQL."""
