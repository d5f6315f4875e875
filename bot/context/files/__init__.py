"""The files of a commit: their kind, attributes, text, and which of them a pack holds."""
