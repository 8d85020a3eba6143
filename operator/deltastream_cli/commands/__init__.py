"""One module per command: it calls the gateways and returns or prints a report."""
