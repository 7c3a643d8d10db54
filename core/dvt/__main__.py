"""`python -m dvt` is `dvt`."""

from dvt.cli.main import main

if __name__ == "__main__":
    main()
