"""Slack's rate limits: a budget per method, shared fairly between answers."""
