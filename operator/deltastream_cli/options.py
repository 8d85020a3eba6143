"""The options and arguments that several commands have, and the values that they accept."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Output(StrEnum):
    """How a command prints its report."""

    TEXT = "text"
    JSON = "json"


class Kinds(StrEnum):
    """What to export."""

    TICKS = "ticks"
    QUOTES = "quotes"
    CHAINS = "chains"
    BARS = "bars"


class Format(StrEnum):
    """The format of an exported file."""

    CSV = "csv"
    PARQUET = "parquet"


class Files(StrEnum):
    """The format of files to import."""

    AUTO = "auto"
    DELTASTREAM = "deltastream"
    NSE = "nse"
    CBOE = "cboe"
    YAHOO = "yahoo"
    DERIBIT = "deribit"
    DBN = "dbn"


class Window(StrEnum):
    """The length of bars in minutes."""

    ONE = "1"
    FIVE = "5"
    FIFTEEN = "15"
    HOUR = "60"


Form = Annotated[Output, typer.Option("--output", "-o", help="text, or json for programs")]
Product = Annotated[str, typer.Argument(help="product, such as NIFTY", metavar="PRODUCT")]
