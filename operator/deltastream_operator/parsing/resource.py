"""Read feeds from YAML files or API objects. Reports all problems, each with file, field and fix."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from deltastream_operator.domain import pause
from deltastream_operator.domain.feed import (
    API_VERSION,
    KIND,
    MODES,
    REPLAY_FORMATS,
    ConfigMapRef,
    Deribit,
    Enricher,
    External,
    Feed,
    Generator,
    Kite,
    Mode,
    Replay,
    Source,
    Synthetic,
    Target,
)
from deltastream_operator.errors import FeedError
from deltastream_operator.parsing import live_sources
from deltastream_operator.parsing.definitions import definitions
from deltastream_operator.parsing.fields import Fields, Problems
from deltastream_operator.parsing.strict_yaml import YamlError, documents, text_of

# Fields, bounds and defaults equal those of k8s/crd/deltastreamfeed.yaml. A test compares with an API server.
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
PRODUCT = re.compile(r"[A-Z0-9&-]{1,20}")
SOURCES = ("synthetic", "replay", "external", "deribit", "kite")
_PRODUCT_RULE = "1 to 20 of A-Z, 0-9, & and -"
_CONFIG_MAP = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_KEY = re.compile(r"[A-Za-z0-9._-]{1,253}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PRICE = re.compile(r"0\.\d{0,8}[1-9]|[1-9]\d{0,8}(\.\d{1,9})?", re.ASCII)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def load(files: Sequence[Path]) -> list[Feed]:
    """Return the feeds of all files in order. Raises FeedError with all problems."""
    problems: list[str] = []
    feeds: list[tuple[str, Feed]] = []
    for file in files:
        try:
            text = text_of(file)
        except YamlError as error:
            problems.append(f"{file}: {error}")
            continue
        found, bad = parse(text, file)
        feeds += [(str(file), feed) for feed in found]
        problems += bad
    problems += _clashes(feeds)
    if not feeds and not problems:
        problems.append(f"{', '.join(map(str, files)) or 'no file'}: contains no DeltaStreamFeed")
    if problems:
        raise FeedError(problems)
    return [feed for _, feed in feeds]


def parse(text: str, file: Path) -> tuple[list[Feed], list[str]]:
    """Return the valid feeds of one file's text, and the problems of the others."""
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


def from_cluster(body: Mapping[str, object]) -> tuple[Feed | None, list[str]]:
    """Return the feed of an API object, or None and the problems.

    The API server has validated it against the CRD. Only rules that the CRD cannot express fail here.
    """
    noted = Problems("")
    fields = Fields(body, "", noted)
    for ours in ("apiVersion", "kind", "status"):
        fields.take(ours)
    metadata = fields.take("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    feed = _spec(str(metadata.get("name", "")), metadata.get("annotations"), fields, None)
    return (None if noted.lines else feed), noted.lines


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
    annotations = metadata.texts("annotations")
    metadata.texts("labels"), metadata.take("namespace")  # used only in a cluster
    metadata.close()
    return _spec(name, annotations, top, folder)


def _spec(name: str | None, annotations: object, top: Fields, folder: Path | None) -> Feed | None:
    """Return the feed of `spec`, or None if it is invalid.

    `folder` is the base of a recording's relative path; None for an API object, which has no files.
    """
    spec = top.mapping("spec", required=True)
    top.close()
    mode = _mode(spec.choice("mode", MODES, "Automatic"))
    products = spec.text_set("products", PRODUCT, _PRODUCT_RULE, at_most=500)
    source = _source(spec.mapping("source", required=True), folder)
    if isinstance(source, Deribit) and products and (problem := live_sources.lacking(source, products)):
        spec.problem("products", problem)
    defined = definitions(spec, products or (), PRODUCT, _PRODUCT_RULE)
    if defined and isinstance(source, (Synthetic, Deribit, Kite)):
        spec.problem("definitions", "only a replay or an external feed takes definitions; remove this")
    generator = _generator(spec.mapping("generator"))
    enricher = _enricher(spec.mapping("enricher"), mode)
    spec.close()
    if not name or not products or source is None:
        return None
    given = annotations if isinstance(annotations, Mapping) else {}
    return Feed(
        name=name,
        products=products,
        source=source,
        generator=generator,
        enricher=enricher,
        mode=mode,
        definitions=defined,
        pause=pause.read({str(key): str(value) for key, value in given.items()}),
    )


def _mode(text: str) -> Mode:
    return next(mode for mode in MODES if mode == text)


def _bounds(fields: Fields, ceiling: int, least: int, most: int) -> tuple[int, int]:
    fewest = fields.integer("minReplicas", 0, ceiling, least)
    highest = fields.integer("maxReplicas", 0, ceiling, most)
    if fewest > highest:
        fields.problem(
            "minReplicas", f"is {fewest}, above maxReplicas {highest}; lower one or raise the other"
        )
    return fewest, highest


def _enricher(fields: Fields, mode: Mode) -> Enricher:
    fewest, most = _bounds(fields, 1000, 1, 20)
    given = fields.has("replicas")
    replicas = fields.integer("replicas", 0, 1000, 0)
    if not given and mode in ("Manual", "External"):
        fields.problem("replicas", f"is required in mode {mode}; set it, or choose mode Automatic")
    concurrency = fields.integer("concurrencyPerReplica", 1, 64, 1)
    target = fields.mapping("target")
    utilization = target.integer("utilizationPercent", 1, 100, 70)
    catch_up = target.integer("catchUpSeconds", 1, 3600, 30)
    target.close()
    fields.close()
    return Enricher(
        min_replicas=fewest,
        max_replicas=most,
        replicas=replicas if given else None,
        concurrency_per_replica=concurrency,
        target=Target(utilization_percent=utilization, catch_up_seconds=catch_up),
    )


def _generator(fields: Fields) -> Generator:
    fewest, most = _bounds(fields, 500, 1, 8)
    per = fields.integer("productsPerReplica", 1, 500, 50)
    fields.close()
    return Generator(min_replicas=fewest, max_replicas=most, products_per_replica=per)


def _source(fields: Fields, folder: Path | None) -> Source | None:
    given = [kind for kind in SOURCES if fields.has(kind)]
    if fields.present and len(given) != 1:
        fix = f"{' and '.join(given)} are given: remove all but one"
        if not given:
            fix = "none is given: add one, such as synthetic: {}"
        fields.problem("", f"exactly one of {', '.join(SOURCES)} is needed; {fix}")
    kinds = {kind: fields.mapping(kind) for kind in SOURCES}
    fields.close()
    if len(given) != 1:
        return None
    chosen = kinds[given[0]]
    if given == ["synthetic"]:
        return _synthetic(chosen)
    if given == ["replay"]:
        return _replay(chosen, folder)
    if given == ["deribit"]:
        return live_sources.deribit(chosen)
    if given == ["kite"]:
        return live_sources.kite(chosen)
    chosen.close()
    return External()


def _synthetic(fields: Fields) -> Synthetic:
    seed = fields.integer("seed", 0, 2**32 - 1, 0)
    speed = fields.integer("speedPercent", 1, 100_000, 100)
    rate = fields.integer("messagesPerSecond", 1, 100_000, 60)
    fields.close()
    return Synthetic(seed=seed, speed_percent=speed, messages_per_second=rate)


def _config_map(fields: Fields) -> ConfigMapRef | None:
    name = fields.text("name", _CONFIG_MAP, "a ConfigMap's name")
    key = fields.text("key", _KEY, "a key of it: 1 to 253 of A-Z, a-z, 0-9, ., _ and -", required=False)
    fields.close()
    if name is None:
        return None
    return ConfigMapRef(name=name, key=key) if key else ConfigMapRef(name=name)


def _moment(fields: Fields, name: str, given: str) -> datetime | None:
    try:
        return datetime.fromisoformat(given)
    except ValueError as error:
        fields.problem(name, f"{given} does not exist: {error}")
        return None


def _replay(fields: Fields, folder: Path | None) -> Replay:
    reference = fields.mapping("configMapRef")
    config_map = _config_map(reference)
    csv = fields.text(
        "path", re.compile(r"[^\0\n]{1,1000}"), "a file name, relative to this YAML", required=False
    )
    kind = fields.choice("format", REPLAY_FORMATS, "auto")
    rule = "a time with its zone, such as 2024-06-21T15:30:00+05:30"
    as_of = fields.text("asOf", _RFC3339, rule, required=False)
    expiry = fields.text("expiry", _DATE, "a date such as 2024-06-27", required=False)
    first = fields.text("from", _RFC3339, rule, required=False)
    last = fields.text("to", _RFC3339, rule, required=False)
    stated = {"asOf": as_of, "expiry": expiry, "from": first, "to": last}
    times = {name: _moment(fields, name, given) for name, given in stated.items() if given}
    begins, ends = times.get("from"), times.get("to")
    if begins and ends and ends < begins:
        fields.problem("to", "is before from; give a later time, or remove one")
    spot = fields.text("spot", _PRICE, 'a price as text such as "23501.1"', required=False)
    grouped = fields.has("groupMillis")
    group = fields.integer("groupMillis", 0, 3_600_000, 0)
    interval = fields.integer("intervalMillis", 1, 3_600_000, 1000)
    speed = fields.integer("speedPercent", 1, 100_000, 100)
    loop = fields.choice("loop", ("Forever", "Once"), "Forever")
    fields.close()
    # Not Path.resolve() and is_file(), which raise for a loop of links or a name that is too long.
    path = Path(os.path.abspath(folder / csv)) if csv and folder else None
    if path and not os.path.exists(path):
        rule = "give the path of a file, or of a folder of files, relative to the folder of this YAML"
        fields.problem("path", f"no file {path}; {rule}")
    if fields.present and not csv and not reference.present:
        fields.problem("", "path (local run) or configMapRef (cluster) is needed")
    return Replay(
        format=next(one for one in REPLAY_FORMATS if one == kind),
        as_of=as_of,
        expiry=expiry,
        spot=spot,
        group_millis=group if grouped else None,
        first=first,
        last=last,
        config_map=config_map,
        path=path,
        interval_millis=interval,
        speed_percent=speed,
        loop="Once" if loop == "Once" else "Forever",
    )
