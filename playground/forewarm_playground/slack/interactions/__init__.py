"""Interactions: commands, shortcuts, buttons, modals, and the app's answers to them."""
