"""Secrets that their place gives away: an address, a header, a table, a command or a call."""
