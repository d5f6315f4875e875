"""Coverage of questions by prompts: the evaluation behind `forewarm eval`, and its plot."""
