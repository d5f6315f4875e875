"""The Web API without sockets: arguments, access, rate limits and the methods."""
