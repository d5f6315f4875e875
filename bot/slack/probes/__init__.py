"""Probes of the live Slack API."""
