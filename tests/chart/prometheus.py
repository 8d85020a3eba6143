"""promtool and the schemas of the Prometheus operator, built from Go modules at first use, without root."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml
from devcluster.golang import program, sources

from tests.support import needs

PACKAGE = "github.com/prometheus/prometheus/cmd/promtool"
VERSION = "v0.310.0"  # Prometheus 3.10
OPERATOR = ("github.com/prometheus-operator/prometheus-operator", "v0.85.0")


def promtool(*arguments: str | Path) -> tuple[bool, str]:
    """Run promtool. Returns whether it succeeded, and its output."""
    needs.go("promtool and its operator's schemas")
    # Without service discovery for every cloud, the build takes half the time and half the size.
    tool = program("promtool", PACKAGE, VERSION, tags="remove_all_sd")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def schema(plural: str) -> dict[str, Any]:
    """The Prometheus operator's schema of a kind. Like the API server, it rejects unknown fields."""
    needs.go("promtool and its operator's schemas")
    folder = sources(*OPERATOR) / "example" / "prometheus-operator-crd"
    definition = yaml.load((folder / f"monitoring.coreos.com_{plural}.yaml").read_text(), yaml.CSafeLoader)
    (version,) = definition["spec"]["versions"]
    found: dict[str, Any] = _closed(version["schema"]["openAPIV3Schema"])
    found["properties"]["metadata"] = {"type": "object"}  # the API server checks it
    return found


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(each) for key, each in node.items()}
    if isinstance(node.get("properties"), dict) and "additionalProperties" not in node and "type" in node:
        closed["additionalProperties"] = node.get("x-kubernetes-preserve-unknown-fields", False)
    return closed
