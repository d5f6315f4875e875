"""Messages: text, blocks, streams, files and the sessions of an agent."""
