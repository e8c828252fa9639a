"""How a request's cost grows with what a session holds, with a user's sessions, and with the requests in flight."""
