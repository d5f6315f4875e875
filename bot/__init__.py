"""Forewarm: answers about your code in Slack, with the prompt cache warm before the question."""
