"""The parts of files that look-ups of the model read."""
