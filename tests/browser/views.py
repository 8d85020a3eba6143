"""The views whose looks are tested: the link, and what is visible once the view is drawn."""

VIEWS = {
    "chain": ("chain/NIFTY/2024-06-27", "tr.atm"),
    "notice": ("chain/NIFFTY", "#notice h2"),
}
