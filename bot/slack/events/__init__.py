"""Events from Slack: parsed, addressed and taken in."""
