"""Assign each product of a feed to one shard by rendezvous (highest random weight) hashing.

A product belongs to the shard with the highest hash of (product, shard). A further shard takes about 1/(n+1)
of the products, and all others stay where they are. `hash % n` would move nearly all of them. Thaler and
Ravishankar, IEEE/ACM Trans. Networking 6 (1998).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def _weight(product: str, shard: int) -> bytes:
    return blake2b(f"{product}\0{shard}".encode(), digest_size=8).digest()


def owner(product: str, count: int) -> int:
    """Return the shard, 0 .. count-1, that produces `product`."""
    return max(range(count), key=lambda shard: _weight(product, shard))


def products_of(products: Iterable[str], *, index: int, count: int) -> list[str]:
    """Return those of `products`, in their order, that shard `index` of `count` produces."""
    return [product for product in products if owner(product, count) == index]
