"""YAML to Feed: every problem of every file at once, each with file, field path and the fix."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from deltastream_operator.domain.feed import Enricher, Feed, Generator, Replay, Synthetic
from deltastream_operator.errors import FeedError
from deltastream_operator.fields import Fields, Problems
from deltastream_operator.strict_yaml import YamlError, documents

API_VERSION, KIND = "deltastream.dev/v1alpha1", "DeltaStreamFeed"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
PRODUCT = re.compile(r"[A-Z0-9&-]{1,20}")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def load(files: Sequence[Path]) -> list[Feed]:
    """The feeds of all files, in their order. Raises FeedError with every problem found."""
    problems: list[str] = []
    feeds: list[tuple[str, Feed]] = []
    for file in files:
        try:
            text = file.read_bytes().decode()
        except OSError as error:
            problems.append(f"{file}: cannot be read: {error.strerror}")
            continue
        except UnicodeDecodeError:
            problems.append(f"{file}: is not UTF-8 text")
            continue
        found, bad = parse(text, file)
        feeds += [(str(file), feed) for feed in found]
        problems += bad
    problems += _clashes(feeds)
    if not feeds and not problems:
        problems.append(f"{', '.join(map(str, files)) or 'no file'}: no DeltaStreamFeed in it")
    if problems:
        raise FeedError(problems)
    return [feed for _, feed in feeds]


def parse(text: str, file: Path) -> tuple[list[Feed], list[str]]:
    """The good feeds of one file's text, and the problems of the others."""
    try:
        bodies = documents(text)
    except YamlError as error:
        return [], [f"{file}: {error}"]
    feeds, problems = [], []
    for number, body in enumerate(bodies, start=1):
        where = f"{file}" if len(bodies) == 1 else f"{file}: document {number}"
        noted = Problems(where)
        feed = _feed(Fields(body, "", noted), file.parent)
        problems += noted.lines
        if feed and not noted.lines:
            feeds.append(feed)
    return feeds, problems


def _clashes(feeds: list[tuple[str, Feed]]) -> list[str]:
    problems, names, products = [], dict[str, str](), dict[str, str]()
    for file, feed in feeds:
        if feed.name in names:
            problems.append(
                f"{file}: metadata.name: a feed {feed.name!r} is in {names[feed.name]} too; rename one"
            )
            continue
        names[feed.name] = file
        for product in feed.products:
            if product in products:
                problems.append(
                    f"{file}: spec.products: {product} belongs to feed {products[product]!r} already; "
                    "a product has one feed (the cache is keyed by product)"
                )
            products.setdefault(product, feed.name)
    return problems


def _feed(top: Fields, folder: Path) -> Feed | None:
    top.constant("apiVersion", API_VERSION)
    top.constant("kind", KIND)
    metadata = top.mapping("metadata", required=True)
    name = metadata.text("name", NAME, "a DNS label of at most 40 characters: a-z, 0-9 and -")
    for ignored in ("labels", "annotations", "namespace"):  # the cluster's business, harmless here
        metadata.take(ignored)
    metadata.close()
    spec = top.mapping("spec", required=True)
    top.close()
    spec.choice("mode", ("Manual",), "Manual")
    products = spec.text_set("products", PRODUCT, "1 to 20 of A-Z, 0-9, & and -", at_most=500)
    source = _source(spec.mapping("source", required=True), folder)
    generator = _generator(spec.mapping("generator"))
    enricher = spec.mapping("enricher", required=True)
    replicas = enricher.integer("replicas", 0, 1000)
    concurrency = enricher.integer("concurrencyPerReplica", 1, 64, 1)
    enricher.close()
    spec.close()
    if not name or not products or source is None:
        return None
    return Feed(
        name=name,
        products=products,
        source=source,
        generator=generator,
        enricher=Enricher(replicas=replicas, concurrency_per_replica=concurrency),
    )


def _generator(fields: Fields) -> Generator:
    fewest = fields.integer("minReplicas", 0, 500, 1)
    most = fields.integer("maxReplicas", 0, 500, max(8, fewest))
    if fewest > most:
        fields.problem("minReplicas", f"is {fewest}, above maxReplicas {most}; lower one or raise the other")
    per = fields.integer("productsPerReplica", 1, 500, 50)
    fields.close()
    return Generator(min_replicas=fewest, max_replicas=most, products_per_replica=per)


def _source(fields: Fields, folder: Path) -> Synthetic | Replay | None:
    given = [kind for kind in ("synthetic", "replay") if fields.has(kind)]
    if fields.present and len(given) != 1:
        said = "both are given" if given else "neither is given"
        fields.problem("", f"exactly one of synthetic and replay is needed; {said}")
    synthetic, replay = fields.mapping("synthetic"), fields.mapping("replay")
    fields.close()
    if given == ["synthetic"]:
        return _synthetic(synthetic)
    return _replay(replay, folder) if given == ["replay"] else None


def _synthetic(fields: Fields) -> Synthetic:
    seed = fields.integer("seed", 0, 2**32 - 1, 0)
    speed = fields.integer("speedPercent", 1, 100_000, 100)
    rate = fields.integer("messagesPerSecond", 1, 100_000, 60)
    fields.close()
    return Synthetic(seed=seed, speed_percent=speed, messages_per_second=rate)


def _replay(fields: Fields, folder: Path) -> Replay:
    reference = fields.mapping("configMapRef")
    config_map = None
    if reference.present:
        config_map = reference.text(
            "name", re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"), "a ConfigMap's name"
        )
        reference.close()
    csv = fields.text(
        "path", re.compile(r"[^\0\n]{1,1000}"), "a file name, relative to this YAML", required=False
    )
    rule = "a time with its zone, such as 2024-06-21T15:30:00+05:30"
    as_of = fields.text("asOf", _RFC3339, rule, required=False)
    if as_of:
        try:
            datetime.fromisoformat(as_of)
        except ValueError as error:
            fields.problem("asOf", f"{as_of} does not exist: {error}")
    interval = fields.integer("intervalMillis", 1, 3_600_000, 1000)
    speed = fields.integer("speedPercent", 1, 100_000, 100)
    loop = fields.choice("loop", ("Forever", "Once"), "Forever")
    fields.close()
    path = (folder / csv).resolve() if csv else None
    if path and not path.is_file():
        fields.problem("path", f"no file {path}; give a CSV's path relative to the folder of this YAML")
    if fields.present and not csv and not reference.present:
        fields.problem("", "path (local run) or configMapRef (cluster) is needed")
    return Replay(
        as_of=as_of,
        config_map=config_map,
        path=path,
        interval_millis=interval,
        speed_percent=speed,
        loop="Once" if loop == "Once" else "Forever",
    )
