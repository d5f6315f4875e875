"""The ask modal and the /ask command."""
