"""Who is calling: bearer tokens of trusted issuers, and the test issuer of development mode."""
