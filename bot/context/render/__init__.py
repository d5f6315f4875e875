"""Rendering a pack: the file map, the ranking, the base block and its tokens."""
