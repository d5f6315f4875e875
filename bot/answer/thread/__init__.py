"""The thread of a question: its messages, read, escaped and written into the prompt."""
