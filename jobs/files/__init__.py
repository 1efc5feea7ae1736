"""Files in folders that strangers may have filled: read when regular and small enough, written without following links.

All reading of files that a caller names, and all writing, goes through these modules, and the check of who else could
change what this program runs. stdlib only.
"""
