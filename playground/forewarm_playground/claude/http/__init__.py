"""The local Claude over HTTP: the server, its endpoints and its control interface."""
