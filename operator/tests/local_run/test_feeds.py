"""Test the strict reading of feeds: a typo is an error with a fix and never gives a default silently."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deltastream_operator.domain.feed import (
    Deribit,
    Enricher,
    External,
    Feed,
    Generator,
    Synthetic,
)
from deltastream_operator.errors import FeedError
from deltastream_operator.parsing import resource

REPO = Path(__file__).resolve().parents[3]
HEAD = "apiVersion: deltastream.dev/v1alpha1\nkind: DeltaStreamFeed\nmetadata: {name: a}\n"
GOOD = HEAD + (
    "spec:\n  products: [NIFTY]\n  source:\n    synthetic: {seed: 1}\n"
    "  generator: {minReplicas: 0}\n  enricher: {replicas: 1}\n"
)


def problems(text: str, tmp_path: Path) -> list[str]:
    """Return the problems of a file x.yaml with this text. Paths are relative to its folder."""
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(FeedError) as caught:
        resource.load([file])
    return [line.removeprefix(f"{tmp_path}/") for line in str(caught.value).split("\n")]


def test_missing_fields_get_their_defaults() -> None:
    """Fields that the file leaves out have the documented defaults."""
    feeds, bad = resource.parse(GOOD, Path("x.yaml"))
    assert bad == []
    assert feeds == [
        Feed(
            name="a",
            products=("NIFTY",),
            source=Synthetic(seed=1, speed_percent=100, messages_per_second=60),
            generator=Generator(min_replicas=0, max_replicas=8, products_per_replica=50),
            enricher=Enricher(min_replicas=1, max_replicas=20, replicas=1, concurrency_per_replica=1),
        )
    ]


SHORTEST = HEAD + "spec: {products: [NIFTY], source: {synthetic: {}}}\n"


def test_a_feed_needs_only_products_and_source() -> None:
    """The default mode is Automatic: the operator decides the number of enrichers."""
    feeds, bad = resource.parse(SHORTEST, Path("x.yaml"))
    assert bad == []
    assert feeds == [Feed(name="a", products=("NIFTY",), source=Synthetic(), mode="Automatic")]


def test_several_documents_are_several_feeds() -> None:
    """`---` separates feeds. An empty document is skipped."""
    other = GOOD.replace("name: a", "name: b").replace("NIFTY", "SPY")
    feeds, bad = resource.parse(f"---\n{GOOD}---\n---\n{other}", Path("x.yaml"))
    assert ([feed.name for feed in feeds], bad) == (["a", "b"], [])


def test_an_external_source_has_no_fields() -> None:
    """Another program writes the market, so nothing of it is configured here."""
    feeds, bad = resource.parse(GOOD.replace("synthetic: {seed: 1}", "external: {}"), Path("x.yaml"))
    assert ([feed.source for feed in feeds], bad) == ([External()], [])


def test_a_deribit_source_has_the_defaults_of_the_crd() -> None:
    """Only the currencies are required."""
    deribit = GOOD.replace("synthetic: {seed: 1}", "deribit: {currencies: [NIFTY]}")
    feeds, bad = resource.parse(deribit, Path("x.yaml"))
    assert ([feed.source for feed in feeds], bad) == ([Deribit(currencies=("NIFTY",))], [])


REPLAY = "replay: {path: x.yaml, asOf: '2024-06-21T15:30:00+05:30'}"


DEFINED = "product: NIFTY, expiryTime: '15:30', zone: Asia/Kolkata"


def test_a_feed_may_define_the_contracts_of_its_products(tmp_path: Path) -> None:
    """What is not given has a default, and a multiplier may be a fraction."""
    (tmp_path / "x.yaml").write_text("")
    text = GOOD.replace("synthetic: {seed: 1}", REPLAY) + f"  definitions: [{{{DEFINED}, multiplier: 0.1}}]\n"
    feeds, bad = resource.parse(text, tmp_path / "x.yaml")
    assert bad == []
    (one,) = feeds[0].definitions
    assert (one.product, one.lot, one.multiplier, one.tick) == ("NIFTY", 1, 0.1, None)
    assert (one.exercise, one.settlement, one.expiry_time) == ("European", "close", "15:30")


@pytest.mark.parametrize(
    ("definitions", "message"),
    [
        ("[]", "spec.definitions: must be a list of 1 to 100, not 0 entries"),
        (f"[{{{DEFINED}}}, {{{DEFINED}}}]", "spec.definitions[1].product: NIFTY is defined twice"),
        (
            f"[{{{DEFINED.replace('NIFTY', 'SPY')}}}]",
            "spec.definitions[0].product: SPY is not in spec.products",
        ),
        (f"[{{{DEFINED}, lots: 1}}]", "spec.definitions[0].lots: unknown field; did you mean lot?"),
        (f"[{{{DEFINED}, multiplier: 0}}]", "spec.definitions[0].multiplier: must be a number above 0"),
        (f"[{{{DEFINED}, settlement: noon}}]", "spec.definitions[0].settlement: must be open or close"),
        (
            f"[{{{DEFINED.replace('15:30', '24:00')}}}]",
            "spec.definitions[0].expiryTime: must be a time of day",
        ),
        (
            f"[{{{DEFINED.replace('Kolkata', 'Atlantis')}}}]",
            "spec.definitions[0].zone: there is no time zone",
        ),
        ("[{product: NIFTY, zone: UTC}]", "spec.definitions[0].expiryTime: is required"),
    ],
)
def test_a_wrong_definition_is_reported_with_its_field_and_rule(
    definitions: str, message: str, tmp_path: Path
) -> None:
    """The only message names the entry, its field, the rule and the fix."""
    (tmp_path / "x.yaml").write_text("")
    text = GOOD.replace("synthetic: {seed: 1}", REPLAY) + f"  definitions: {definitions}\n"
    (found,) = problems(text, tmp_path)
    assert found.startswith(f"x.yaml: {message}"), found


@pytest.mark.parametrize("source", ["synthetic: {seed: 1}", "deribit: {currencies: [NIFTY]}", "kite: {}"])
def test_only_a_replay_or_an_external_feed_has_definitions(source: str, tmp_path: Path) -> None:
    """A synthetic market needs more than terms, and a live source brings its own."""
    text = GOOD.replace("synthetic: {seed: 1}", source) + f"  definitions: [{{{DEFINED}}}]\n"
    (found,) = problems(text, tmp_path)
    rule = "only a replay or an external feed takes definitions; remove this"
    assert found == f"x.yaml: spec.definitions: {rule}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "replicas: 1",
            "replica: 1, replicas: 1",
            "spec.enricher.replica: unknown field; did you mean replicas?",
        ),
        (
            "  products",
            "  colour: red\n  products",
            "spec.colour: unknown field; known are mode, products, source",
        ),
        ("kind: DeltaStreamFeed", "kind: Pod", "kind: must be DeltaStreamFeed, not 'Pod'"),
        ("v1alpha1", "v2", "apiVersion: must be deltastream.dev/v1alpha1, not 'deltastream.dev/v2'"),
        ("name: a", "name: A_b", "metadata.name: must be a DNS label of at most 40 characters"),
        ("name: a", f"name: {'a' * 41}", "metadata.name: must be a DNS label of at most 40 characters"),
        ("metadata: {name: a}", "metadata: {}", "metadata.name: is required"),
        ("  products", "  mode: Auto\n  products", "spec.mode: must be Automatic or Recommend or"),
        ("[NIFTY]", "[]", "spec.products: must be a list of 1 to 500, not 0 entries"),
        ("[NIFTY]", "NIFTY", "spec.products: must be a list of 1 to 500, not 'NIFTY'"),
        ("[NIFTY]", "[nifty]", "spec.products[0]: must be 1 to 20 of A-Z, 0-9, & and -, not 'nifty'"),
        (
            "[NIFTY]",
            "[ON]",
            "spec.products[0]: must be 1 to 20 of A-Z, 0-9, & and -, not True; put it in quotes",
        ),
        ("[NIFTY]", "[SPY, NIFTY, SPY]", "spec.products: SPY is listed twice; list each entry only once"),
        (
            "synthetic: {seed: 1}",
            "{}",
            "spec.source: exactly one of synthetic, replay, external, deribit, kite is needed; none is",
        ),
        (
            "seed: 1}",
            f"seed: 1}}\n    {REPLAY}",
            "spec.source: exactly one of synthetic, replay, external, deribit, kite is needed; synthetic and",
        ),
        (
            "seed: 1}",
            "seed: 1}\n    external: {}",
            "spec.source: exactly one of synthetic, replay, external, deribit, kite is needed; synthetic and",
        ),
        ("synthetic: {seed: 1}", "deribit: {}", "spec.source.deribit.currencies: is required"),
        (
            "synthetic: {seed: 1}",
            "deribit: {currencies: [btc]}",
            "spec.source.deribit.currencies[0]: must be a currency",
        ),
        (
            "synthetic: {seed: 1}",
            "deribit: {currencies: [ETH]}",
            "spec.products: NIFTY: Deribit's products are named after a currency",
        ),
        (
            "synthetic: {seed: 1}",
            "deribit: {currencies: [NIFTY], url: 'https://x'}",
            "spec.source.deribit.url: must be a URL with wss or ws, without user, password and query",
        ),
        (
            "synthetic: {seed: 1}",
            "external: {url: x}",
            "spec.source.external.url: unknown field; there are none here: remove it",
        ),
        ("synthetic: {seed: 1}", "external: true", "spec.source.external: must be a mapping, not True"),
        (
            "seed: 1",
            "seed: -1",
            "spec.source.synthetic.seed: must be a whole number of 0 to 4294967295, not -1",
        ),
        ("seed: 1", "speedPercent: 1.5", "spec.source.synthetic.speedPercent: must be a whole number"),
        ("seed: 1", "seed: true", "spec.source.synthetic.seed: must be a whole number"),
        (
            "minReplicas: 0",
            "minReplicas: 9, maxReplicas: 2",
            "spec.generator.minReplicas: is 9, above maxReplicas 2",
        ),
        (
            "enricher: {replicas: 1}",
            "mode: Manual",
            "spec.enricher.replicas: is required in mode Manual",
        ),
        (
            "replicas: 1",
            "replicas: 1, concurrencyPerReplica: 0",
            "spec.enricher.concurrencyPerReplica: must be a",
        ),
        (
            "synthetic: {seed: 1}",
            REPLAY.replace("+05:30", ""),
            "spec.source.replay.asOf: must be a time with its zone",
        ),
        (
            "synthetic: {seed: 1}",
            REPLAY.replace("06-21", "02-30"),
            "spec.source.replay.asOf: 2024-02-30T15:30:00",
        ),
        (
            "synthetic: {seed: 1}",
            REPLAY.replace("asOf", "from").replace("21T", "31T"),
            "spec.source.replay.from",
        ),
        (
            "synthetic: {seed: 1}",
            REPLAY.replace("}", ", from: '2024-06-21T10:00:00Z', to: '2024-06-21T09:59:59.9Z'}"),
            "spec.source.replay.to: is before from",
        ),
        ("synthetic: {seed: 1}", REPLAY.replace("x.yaml", "no.csv"), "spec.source.replay.path: no file "),
        (
            "synthetic: {seed: 1}",
            REPLAY.replace("path: x.yaml, ", ""),
            "spec.source.replay: path (local run) or con",
        ),
        ("seed: 1", "seed: 1, seed: 2", "line 7: seed occurs twice; remove one"),
        ("name: a", "name: a, annotations: [x]", "metadata.annotations: must be a mapping, not a list"),
        (
            "name: a",
            "name: a, annotations: {deltastream.dev/paused: true}",
            "metadata.annotations.deltastream.dev/paused: must be text, not True; put it in quotes",
        ),
        (
            "synthetic: {seed: 1}",
            f"replay: {{path: {'a' * 300}}}",
            "spec.source.replay.path: no file ",
        ),
        ("kind:", '"\\e[31m": 1\nkind:', "'\\x1b[31m': unknown field"),
        ("[NIFTY]", "[NIFTY", "line 6: not YAML: "),
        ("seed: 1", "seed: &x 1, speedPercent: *x", "line 7: aliases (*name) are not allowed"),
    ],
)
def test_each_mistake_is_reported_with_its_field_and_rule(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    """The only message names the file, the path of the field and the rule."""
    assert GOOD.count(old) >= 1
    found = problems(GOOD.replace(old, new, 1), tmp_path)
    assert len(found) == 1
    assert found[0].startswith(f"x.yaml: {message}"), found


@pytest.mark.parametrize(
    "source",
    [
        "deribit: {currencies: [NIFTY], url: 'wss://desk:hush@exchange/ws'}",
        "kite: {url: 'wss://ws.kite.trade?access_token=hush'}",
        "kite: {apiUrl: 'https://hush@api.kite.trade'}",
    ],
)
def test_a_credential_in_a_url_is_refused_and_not_repeated(source: str, tmp_path: Path) -> None:
    """Secrets belong into a Secret or a file, and no error shows them."""
    (found,) = problems(GOOD.replace("synthetic: {seed: 1}", source), tmp_path)
    assert "without user, password and query" in found
    assert "hush" not in found


def test_all_problems_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    """A user can fix all mistakes before the next attempt."""
    found = problems(GOOD.replace("seed", "sead").replace("replicas: 1", "replicas: x"), tmp_path)
    assert found == [
        "x.yaml: spec.source.synthetic.sead: unknown field; did you mean seed?",
        "x.yaml: spec.enricher.replicas: must be a whole number of 0 to 1000, not 'x'",
    ]


def test_the_message_names_the_document_if_a_file_has_several(tmp_path: Path) -> None:
    """A message must identify one place."""
    assert problems(f"{GOOD}---\n{HEAD}", tmp_path)[0].startswith("x.yaml: document 2: spec: is required")


def test_feeds_must_not_share_a_name_or_a_product(tmp_path: Path) -> None:
    """The name of a feed is the key of its stream, and a product is a key of the cache."""
    assert "metadata.name: a feed 'a' is in" in problems(f"{GOOD}---\n{GOOD}", tmp_path)[0]
    other = GOOD.replace("name: a", "name: b")
    assert "spec.products: NIFTY belongs to feed 'a' already" in problems(f"{GOOD}---\n{other}", tmp_path)[0]


def test_a_missing_or_empty_file_is_a_problem(tmp_path: Path) -> None:
    """A command without any feed to run must fail."""
    with pytest.raises(FeedError, match=r"no\.yaml: cannot be read: No such file"):
        resource.load([tmp_path / "no.yaml"])
    assert problems("# nothing\n", tmp_path) == ["x.yaml: contains no DeltaStreamFeed"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "spec", "source", "replay", "products", "path", "x"]), inner
        )
    ),
    max_leaves=15,
)


@given(text=st.text() | JSON.map(yaml.safe_dump) | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_text_makes_the_parser_crash(text: str) -> None:
    """For any content the parser returns feeds or problems."""
    feeds, bad = resource.parse(text, Path("x.yaml"))
    assert isinstance(feeds, list)
    assert all(line.startswith("x.yaml: ") for line in bad)


@given(
    spec=JSON,
    place=st.sampled_from(["spec", "source", "synthetic", "replay", "enricher", "products", "seed"]),
)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_value_in_a_known_field_makes_the_parser_crash(spec: object, place: str) -> None:
    """Each field may have a value of any type."""
    body = yaml.safe_load(GOOD)
    inner = body
    for step in {"spec": [], "source": ["spec"], "enricher": ["spec"], "products": ["spec"]}.get(
        place, ["spec", "source"]
    ):
        inner = inner[step]
    if place == "seed":
        inner, place = inner["synthetic"], "seed"
    inner[place] = spec
    resource.parse(yaml.safe_dump(body), Path("x.yaml"))
