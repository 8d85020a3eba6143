"""skaffold.yaml, without skaffold."""
