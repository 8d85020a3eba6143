"""Assign a feed's products to its shards by rendezvous (highest random weight) hashing.

Each product belongs to the shard with the highest hash of (product, shard). If a shard is added to n shards,
only about 1/(n+1) of the products move, all of them to the new shard. With `hash % n` nearly all products
would move. Source: Thaler and Ravishankar, IEEE/ACM Trans. Networking 6 (1998).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def _weight(product: str, shard: int) -> bytes:
    return blake2b(f"{product}\0{shard}".encode(), digest_size=8).digest()


def owner(product: str, count: int) -> int:
    """Return the index, 0 to count-1, of the shard that produces `product`."""
    return max(range(count), key=lambda shard: _weight(product, shard))


def products_of(products: Iterable[str], *, index: int, count: int) -> list[str]:
    """Return the products that shard `index` of `count` produces, in the given order."""
    return [product for product in products if owner(product, count) == index]
