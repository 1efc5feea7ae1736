"""Places that this program trusts, and those that a process may write.

Who else could change what this program runs and obeys (``owners``, ``home``), folders that are no one's work
(``wide_folders``), and the kernel's limits on writing (``landlock``). stdlib only.
"""
