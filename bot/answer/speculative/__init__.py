"""Drafts: answers that are generated before the question is sent."""
