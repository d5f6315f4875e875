"""A local Slack that official clients cannot tell from the real one in everything the bot uses.

`LocalSlack` is the whole of it: a pure core (workspaces, channels, messages, views, streams), the
Web API over it, both ways of event delivery, and what a person's Slack client does. The core needs
no socket and no loop; `LocalSlack.serve` puts it behind real ones.
"""

from __future__ import annotations

from forewarm_playground.slack.config import SlackConfig
from forewarm_playground.slack.local import LocalSlack

__all__ = ["LocalSlack", "SlackConfig"]
