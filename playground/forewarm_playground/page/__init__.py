"""The page of the local Slack: a chat, and beside it what the bot says of itself."""
