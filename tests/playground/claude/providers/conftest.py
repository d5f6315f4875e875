"""The clouds' clients are pointed at a local Claude by their own variables."""

from tests.clouds import point_at, private_key

__all__ = ["point_at", "private_key"]
