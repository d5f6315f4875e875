"""Markdown as Slack reads it: its outline, places to split, and escapes."""
