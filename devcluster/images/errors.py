"""The error of image builds."""


class ImageError(Exception):
    """An image cannot be built. The text says why and what to do."""
