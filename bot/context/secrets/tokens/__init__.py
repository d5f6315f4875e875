"""Tokens and keys that their own form gives away."""
