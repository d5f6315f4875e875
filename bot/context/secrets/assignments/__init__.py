"""Secrets that their name gives away: values assigned to it, passed as it, or keyed by it."""
