"""Ways out: the relay that takes a mail, and the return path on which reports about it come back."""
