"""`python -m rasft.cli`."""

from rasft.cli import main

main(prog_name="rasft")
