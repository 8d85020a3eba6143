"""Modules that every service needs. Services hold copies: edit services/chassis, then run `make chassis`."""
