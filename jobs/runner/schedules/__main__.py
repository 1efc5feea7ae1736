"""Entry point: ``python -m jobs.runner.schedules``."""

from jobs.runner.schedules.schedules import main

if __name__ == "__main__":
    main()
