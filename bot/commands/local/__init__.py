"""Commands that run the product, or Slack and Claude alone, on one machine."""
