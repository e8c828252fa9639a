"""A small document vault: Coatcheck as a person meets it in a browser."""
