"""Providers: the places where Claude runs, and what each of them offers."""
