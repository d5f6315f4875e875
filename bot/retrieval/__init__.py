"""Find the excerpts of a repository that a question needs beyond the cached prefix."""
