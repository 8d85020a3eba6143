"""What goes wrong with the node, said once."""


class NodeError(Exception):
    """The node cannot be built or started; the text says why and what to do."""
