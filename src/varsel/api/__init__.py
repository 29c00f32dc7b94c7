"""HTTP in, status out: the one room that knows JSON names, HTTP codes and the contract's texts."""
