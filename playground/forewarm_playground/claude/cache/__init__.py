"""The prompt cache: rendering and counting of requests, cached prefixes, usage and cost."""
