"""HTTP clients with a cookie jar, as applications without a browser have them.

Each logs in, comes back, logs out and comes back once more, and says whom the application saw at the three visits. One
that finds a token in the answer, as a page that keeps it in local storage does, sends it along by itself.
"""
