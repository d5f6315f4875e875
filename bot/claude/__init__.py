"""The Anthropic edge: Pack to Prefix to requests; usage, prices, model capabilities."""
