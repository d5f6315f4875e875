"""A local Slack, a local Claude and a local model: what the demo and the tests run against."""
