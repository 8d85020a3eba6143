"""What every service repeats: copies of services/chassis, made by `make chassis`."""
