"""Which shard of a feed produces a product: rendezvous (highest random weight) hashing.

Every product goes to the shard with the highest hash of (product, shard). A further shard then takes only
the products that it wins, about 1/(n+1) of them, and all others stay where they are: unlike `hash % n`,
which moves nearly all. Thaler and Ravishankar, IEEE/ACM Trans. Networking 6 (1998).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def _weight(product: str, shard: int) -> bytes:
    return blake2b(f"{product}\0{shard}".encode(), digest_size=8).digest()


def owner(product: str, count: int) -> int:
    """The shard, 0 .. count-1, that produces `product`."""
    return max(range(count), key=lambda shard: _weight(product, shard))


def products_of(products: Iterable[str], *, index: int, count: int) -> list[str]:
    """Those of `products`, in their order, that shard `index` of `count` produces."""
    return [product for product in products if owner(product, count) == index]
