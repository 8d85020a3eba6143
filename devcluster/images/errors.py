"""What goes wrong with images, said once."""


class ImageError(Exception):
    """An image cannot be built; the text says why and what to do."""
