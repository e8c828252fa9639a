"""The benchmark through real servers, driven by wrk."""
