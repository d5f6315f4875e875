"""The stream engine: which Slack call comes next, and the effect of each result."""
