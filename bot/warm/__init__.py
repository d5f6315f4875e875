"""When to spend on warmth: signals, governor (pure), driver."""
