"""What must hold in every store, theme by theme.

The number in a docstring is that of the promise which the scenario checks:

1 concurrent requests merge; 2 what has ended stays ended; 3 a revocation binds the next request; 4 `revoke_user`
misses nobody; 5 login replaces the session; 6 rotation finds thieves and spares everybody else; 7 both timeouts
hold, and reading writes nothing; 8 nothing is created until something is stored; 9 ids at rest are useless;
10 data round-trips; 13 single use means once.
"""
