"""What analytics computes: pure functions of chains, ratios and bars."""
