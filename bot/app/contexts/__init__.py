"""The contexts of a running bot: their files and Slack settings, clones, packs and status."""
