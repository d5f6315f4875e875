"""The page of the local Slack: a chat, and a panel with the bot's own state."""
