"""A soak: real workers, hundreds of visitors, and an oracle that knows what every answer has to be."""
