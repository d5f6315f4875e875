"""Recorded traffic replayed through the governor, and through other strategies for comparison."""
