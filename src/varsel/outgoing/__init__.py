"""HTTP requests that we make ourselves: bounded in time and size, and guarded where somebody else named the address."""
