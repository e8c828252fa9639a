"""What was measured, as data, as a page and in a terminal."""
