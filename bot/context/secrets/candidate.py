"""A value that may be a secret, and its place in a text."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Written = Literal["bare", "quotes", "form"]


class Candidate(NamedTuple):
    """Characters `start:end` of a text and the kind of the secret, in a word or two.

    A value in `quotes` may stand between the wrong ones: the end of a literal and the beginning of
    the next. A `bare` one may be code. A value that its `form` gives away can be neither.
    """

    start: int
    end: int
    label: str
    written: Written = "bare"


def candidate_from(match: re.Match[str], label: str = "password") -> Candidate:
    """Return the group `value` of a match as a candidate that its form gives away."""
    return Candidate(match.start("value"), match.end("value"), label, "form")
