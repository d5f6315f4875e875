"""Citations in an answer: recognised, checked against the code, and linked."""
