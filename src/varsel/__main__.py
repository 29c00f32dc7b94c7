"""`python -m varsel` is `varsel`."""

from varsel.cli import main

main()
