"""Build the generator from its settings: its source of messages, and what publishes them."""
