"""The folder of context files, followed while the bot runs."""

from __future__ import annotations

from pathlib import Path

from bot.app.contexts.folder import ContextFiles

GOOD = '[[repositories]]\nurl = "https://github.com/acme/payments"\n'


def test_a_link_that_leads_nowhere_does_not_hide_changes_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "old.toml").symlink_to(tmp_path / "gone" / "old.toml")
    (tmp_path / "pay.toml").write_text(GOOD)
    files = ContextFiles(tmp_path)
    assert [one.name for one in files.read().contexts] == ["pay"]
    assert files.read_if_changed() is None
    (tmp_path / "shop.toml").write_text(GOOD)
    changed = files.read_if_changed()
    assert changed is not None
    assert [one.name for one in changed.contexts] == ["pay", "shop"]
