"""Files in folders that strangers may have filled: read when regular and small enough, written without following links.

All reading of files that a caller names, and all writing, goes through these modules. stdlib only.
"""
