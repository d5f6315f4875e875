"""The fixtures of the context's tests, for the benchmarks that pack repositories."""

from __future__ import annotations

from tests.context.conftest import bench as bench
from tests.context.conftest import repo as repo
