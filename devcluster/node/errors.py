"""The error of building and starting the node."""


class NodeError(Exception):
    """The node cannot be built or started. The text says why and what to do."""
