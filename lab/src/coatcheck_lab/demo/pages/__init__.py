"""The demo's pages, one module each, with its `ROUTES`."""
