"""Emulation of the clouds that serve Claude: their paths, credentials, framing and errors."""
