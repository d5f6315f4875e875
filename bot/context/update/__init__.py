"""Following a branch: changes since the base, the overlay, and when to rebuild."""
