"""Real applications, frameworks and extensions: their own tests, over their own sessions and over ours."""
