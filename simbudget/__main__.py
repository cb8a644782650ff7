"""`python -m simbudget` is the command line."""

from simbudget.cli.start import main

if __name__ == "__main__":
    main()
