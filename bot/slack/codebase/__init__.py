"""The /codebase command: contexts made and changed in Slack."""
