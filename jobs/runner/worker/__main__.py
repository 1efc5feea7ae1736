"""Entry point: ``python -m jobs.runner.worker``."""

from jobs.runner.worker.worker import main

if __name__ == "__main__":
    main()
