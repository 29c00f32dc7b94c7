"""Varsel sends e-mail orders, follows each notification to its final send status, and tells."""
