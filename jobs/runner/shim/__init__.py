"""The shim process: runs one attempt as a child process and records its exit."""
