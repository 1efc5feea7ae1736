"""Entry point: ``python -m jobs.runner.shim``."""

from jobs.runner.shim.shim import main

if __name__ == "__main__":
    main()
