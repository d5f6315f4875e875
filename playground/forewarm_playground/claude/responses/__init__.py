"""Responses of the local Claude: scripted answers, injected faults and server-sent events."""
