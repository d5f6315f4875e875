"""Context files: their schema, loading and glob patterns."""
