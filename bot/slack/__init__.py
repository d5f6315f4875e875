"""The Slack edge: listeners that turn an event into one domain call."""
