"""Git: clones, objects, credentials, URLs and webhooks."""
