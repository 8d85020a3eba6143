"""What services repeat. In a service these are copies: edit services/chassis, then `make chassis`."""
