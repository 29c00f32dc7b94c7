"""One message to one recipient: its send status, how it is composed and sent, how it is found."""
