"""The composition: every room built once and wired to its neighbours."""
