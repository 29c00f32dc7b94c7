"""What other mail servers tell us afterwards: taken in, read, classified, recorded."""
