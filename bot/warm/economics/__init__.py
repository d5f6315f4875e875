"""Money and time of warmth: costs, value, savings and prefill speed."""
