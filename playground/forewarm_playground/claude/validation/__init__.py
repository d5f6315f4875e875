"""Checks of a request: its fields, the rules across fields, its citations and signatures."""
