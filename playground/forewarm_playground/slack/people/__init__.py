"""Actions and views of one person: composing, navigating, joining, and the visible screen."""
