"""Workspaces: one by its token, or several that installed the app with OAuth."""
