"""Users and channels: names, access, quotas and the choice of a context."""
