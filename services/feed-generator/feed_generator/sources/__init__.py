"""Sources of market messages: the synthetic market, and the replay of a recording."""
