"""What look-ups of the model read in files."""
