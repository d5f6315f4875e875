"""Figures computed from the journal: sums of a day, quantiles, money, and the report."""
