"""Judgement of names, values and places: which of them can be secrets."""
