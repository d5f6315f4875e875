"""Delivery of events and interactions to the app: over Socket Mode or signed HTTP."""
