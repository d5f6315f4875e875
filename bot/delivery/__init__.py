"""Delivery: how an answer reaches Slack."""
