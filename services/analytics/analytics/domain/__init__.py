"""Pure functions that read chains, ratios and bars and build the responses of the routes."""
