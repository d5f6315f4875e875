"""A library is imported without a dependency that it would never use; others get the real one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bot.context.secrets.stub_module import absent


def test_what_is_absent_is_empty_within_and_real_after() -> None:
    sys.modules.pop("colorsys", None)
    with absent("colorsys", hsv_to_rgb="held"):
        import colorsys as empty

        assert vars(empty)["hsv_to_rgb"] == "held"
        assert not hasattr(empty, "rgb_to_hsv")
    import colorsys

    assert colorsys.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)


def test_what_is_loaded_already_stays() -> None:
    import colorsys

    with absent("colorsys"):
        assert sys.modules["colorsys"] is colorsys
    assert sys.modules["colorsys"] is colorsys


def test_a_failed_import_leaves_nothing_behind() -> None:
    sys.modules.pop("colorsys", None)
    with pytest.raises(ZeroDivisionError), absent("colorsys"):
        raise ZeroDivisionError
    assert "colorsys" not in sys.modules


def test_the_detectors_have_nothing_to_call_out_with() -> None:
    program = (
        "import sys, bot.context.secrets.detectors as d; d.Detectors();"
        "print(sorted({'requests', 'urllib3', 'http.client'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
