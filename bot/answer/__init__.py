"""Question to answer: transcript, model loop, stream engine, citations, receipt."""
