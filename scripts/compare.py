"""`make bench BASE=REV`: benchmark this tree and commit REV alternately (A B A B), with this tree's script.

The last line is one JSON object: the mean figures of both, and the ratios of this tree's to the base's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from devcluster.environment import cache

ROOT = Path(__file__).parents[1]
CACHE = cache() / "bench"


def checked_out(revision: str) -> Path:
    """Return a folder with that commit and its own environments; built once.

    Raises SystemExit if the commit does not exist or cannot be built.
    """
    found = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if found.returncode:
        raise SystemExit(f"BASE={revision} is not a commit of this repository; pass a commit, branch or tag")
    commit = found.stdout.strip()
    tree = CACHE / commit
    if not tree.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        # Rename the folder once it is complete, so that an interrupted run leaves no incomplete tree.
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
            subprocess.run(["tar", "-x", "-C", scratch], input=archive.stdout, check=True)
            Path(scratch).rename(tree)
            Path(scratch).mkdir()
    if subprocess.run(["make", "--silent", "build"], cwd=tree, env=_environment()).returncode:
        raise SystemExit(f"BASE={revision} cannot be built: `make build` failed in {tree}")
    return tree


def _environment() -> dict[str, str]:
    """Return the environment without the variables that this tree's make sets for its own programs."""
    own = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHONPATH", "DELTASTREAM_HOME", "BASE", "MAKEOVERRIDES")
    return {name: value for name, value in os.environ.items() if name not in own}


def measured(tree: Path, arguments: list[str]) -> dict[str, Any]:
    """Run this tree's benchmark on the services of `tree` and return the figures of its last line."""
    command = [sys.executable, str(ROOT / "scripts/bench.py"), "--tree", str(tree), *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        last = ""
        for last in run.stdout or ():
            print("  " + last, end="", flush=True)
    if run.returncode:
        raise SystemExit(f"the benchmark of {tree} failed with exit code {run.returncode}")
    result: dict[str, Any] = json.loads(last)
    rss = {f"rss_mb_{process}": size for process, size in result.pop("rss_mb", {}).items()}
    return result | rss


def summary(here: list[dict[str, Any]], base: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the means of the figures that both trees have, and the ratios of this tree's to the base's."""
    names = [name for name, value in here[0].items() if isinstance(value, int | float) and name in base[0]]
    ours, theirs = ({one: round(mean(run[one] for run in runs), 3) for one in names} for runs in (here, base))
    ratios = {name: round(ours[name] / theirs[name], 3) for name in names if theirs[name]}
    return {"here": ours, "base": theirs, "ratios": ratios}


def main() -> None:
    """Build the base, then run both trees alternately, twice each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base")
    args, arguments = parser.parse_known_args()
    base = checked_out(args.base)
    runs: dict[Path, list[dict[str, Any]]] = {ROOT: [], base: []}
    for tree in (ROOT, base, ROOT, base):
        print("this tree:" if tree == ROOT else f"base {args.base}:", flush=True)
        runs[tree].append(measured(tree, arguments))
    print(json.dumps(summary(runs[ROOT], runs[base])))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
