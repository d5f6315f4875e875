"""Traces replayed through the governor, beside fixed strategies and a clairvoyant one."""
