"""Secrets in repository text: finding and masking them."""
