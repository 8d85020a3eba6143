"""The views whose looks are tested: the link, and what is visible once the view is drawn."""

VIEWS = {
    "chain": ("chain/NIFTY/2024-06-27", "tr.atm"),
    "notice": ("chain/NIFFTY", "#notice h2"),
    "smile": ("smile/SPY", ".plot canvas"),
    "smile-table": ("smile/NIFTY?show=table", ".numbers tbody tr"),
    "surface": ("smile/SPY?show=surface", ".surface canvas"),
    "positioning": ("positioning/NIFTY/2024-06-27", ".plot canvas"),
    "positioning-table": ("positioning/NIFTY?show=table", ".numbers tbody tr"),
    "price": ("price/SPY", ".plot canvas"),
    "price-table": ("price/SPY?show=table", ".numbers tbody tr"),
    "feeds": ("feeds?feed=browser", ".decisions time"),
    "quality": ("quality/SPY", ".panel dd:has-text(' ms')"),
    "sources": ("sources?feed=browser", ".source-detail h2"),
}
