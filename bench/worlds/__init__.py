"""One module for each framework: its page bare, behind the peers that it has, and behind Coatcheck.

Each runs in a process of its own (`worker.py`), which measures when it is told to and is idle otherwise.
"""
