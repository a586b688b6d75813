"""Nothing is ever lost: whatever changes a collection is ended at every single operation on files.

``python -m benchmarks.kill_everywhere`` carries each operation of ``operations.py`` out in a process of its own, again
and again: with the first change that it makes to a file replaced by a fault, then the second, and so on. What
stands then must be what was there before or what comes after, whole; the next start must open it, and the same
operation must succeed. The faults are SIGKILL, Ctrl-C, a disk that is full from there on, one refused permission, and a
disk that is read-only from there on, and are made below Python (``faults.c``), so that what C++ libraries write counts.
"""
