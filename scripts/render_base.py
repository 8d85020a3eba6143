"""`make base`: write k8s/base and k8s/overlays from the chart, for people without Helm.

The base is the chart's default render without the parts that only Helm can run: test Jobs, upgrade hooks and
hook annotations. An overlay is generated from its values.yaml, the only handwritten file in its folder. Its
patches turn the base, or the overlay that it builds on, into the chart's render with these values.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from devcluster import tools

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "charts" / "deltastream"
K8S = ROOT / "k8s"
NAME = "deltastream"
COMPONENT = "app.kubernetes.io/component"
HOOK = "helm.sh/hook"
# Labels that name Helm as the owner of an object. They would be wrong without Helm.
HELM_LABELS = ("app.kubernetes.io/managed-by", "helm.sh/chart")
# Components left out: the Jobs of `helm test` with their NetworkPolicy, and the CRD, which is in k8s/crd.
LEFT_OUT = ("smoke", "crd-upgrade")
HEADER = "# Written by scripts/render_base.py from charts/deltastream (make base): do not edit.\n"
# Overlays that build on another overlay instead of the base.
BUILDS_ON = {"minikube": "kind"}
# Lists that a strategic merge patch merges by name. It replaces every other list.
BY_NAME = ("containers", "initContainers", "env")

Object = dict[str, Any]
Key = tuple[str, str, str]


def key(item: Object) -> Key:
    """Return the key that identifies an object in one namespace."""
    return item["apiVersion"], item["kind"], item["metadata"]["name"]


def objects(*options: str) -> list[Object]:
    """Render the chart and return its objects without Helm's marks. Exits with Helm's error if it fails."""
    command = [str(tools.helm()), "template", NAME, str(CHART), f"--namespace={NAME}", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"charts/deltastream does not render: {done.stderr.strip()}")
    rendered = [item for item in yaml.safe_load_all(done.stdout) if item]
    return [plain(item) for item in rendered if runs_at_install(item)]


def runs_at_install(item: Object) -> bool:
    """Return whether an installation creates the object: it is not a hook, or it is a `pre-install` hook."""
    if item["metadata"]["labels"][COMPONENT] in LEFT_OUT:
        return False
    hook = item["metadata"].get("annotations", {}).get(HOOK)
    return hook is None or "pre-install" in hook.split(",")


def plain(item: Object) -> Object:
    """Return the object without Helm's labels and annotations.

    A Job that was a hook gets a hash in its name and is deleted automatically after an hour: a Job's template
    is immutable, and without Helm nothing deletes the previous Job. The Job gets no deadline: no command
    waits for it, and a Job that exceeds its deadline during a slow image download would never restart.
    """
    meta = item["metadata"]
    annotations = meta.pop("annotations", {})
    kept = {name: value for name, value in annotations.items() if not name.startswith("helm.sh/")}
    if kept:
        meta["annotations"] = kept
    for label in HELM_LABELS:
        meta["labels"].pop(label, None)
    if item["kind"] == "Job" and HOOK in annotations:
        item["spec"].pop("activeDeadlineSeconds", None)
        item["spec"]["ttlSecondsAfterFinished"] = 3600
        meta["name"] += "-" + hashlib.sha256(json.dumps(item["spec"]).encode()).hexdigest()[:8]
    return item


def namespace() -> Object:
    """Return the namespace object, with Pod Security level `restricted`."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("audit", "enforce", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": labels}}


def patch(old: Any, new: Any, field: str = "") -> Any:
    """Return the strategic merge patch from `old` to `new`. A removed field becomes null."""
    if isinstance(old, dict) and isinstance(new, dict):
        changed = {k: patch(old[k], v, k) if k in old else v for k, v in new.items() if old.get(k) != v}
        return changed | {k: None for k in old if k not in new}
    if field in BY_NAME and [item["name"] for item in old] == [item["name"] for item in new]:
        pairs = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
        return [{"name": b["name"], **patch(a, b)} for a, b in pairs]
    return new


def head(item: Object) -> Object:
    """Return the fields with which a patch identifies its object."""
    meta = {name: item["metadata"][name] for name in ("name", "namespace")}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": meta}


def patches(base: list[Object], wanted: list[Object]) -> list[Object]:
    """Return the patches of the objects that are in `base` and in `wanted` and differ."""
    after = {key(item): item for item in wanted}
    found = []
    for old in base:
        new = after.get(key(old), old)
        if new != old:
            changed, start = patch(old, new), head(old)
            start["metadata"] |= changed.pop("metadata", {})
            found.append(start | changed)
    return found


class _Dumper(yaml.SafeDumper):
    """YAML dumper in this repository's style: multi-line text as blocks, lists indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def write(path: Path, items: list[Object]) -> None:
    """Write all objects to one YAML file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bodies = [yaml.dump(item, Dumper=_Dumper, sort_keys=False, width=120) for item in items]
    path.write_text(HEADER + "---\n".join(bodies))


def kustomization(folder: Path, **content: Any) -> None:
    """Write the kustomization.yaml of a folder."""
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    write(folder / "kustomization.yaml", [{**head, **content}])


def write_base(folder: Path, base: list[Object]) -> None:
    """Write the base: one file per component, the namespace and the kustomization."""
    components: dict[str, list[Object]] = {}
    for item in base:
        components.setdefault(item["metadata"]["labels"][COMPONENT], []).append(item)
    write(folder / "namespace.yaml", [namespace()])
    for component, items in components.items():
        write(folder / f"{component}.yaml", items)
    files = [f"{component}.yaml" for component in sorted(components)]
    kustomization(folder, resources=["namespace.yaml", "../crd", *files])


def with_values(overlay: str) -> list[Object]:
    """Return the chart's render with the values of an overlay."""
    return objects("--values", str(K8S / "overlays" / overlay / "values.yaml"))


def write_overlay(folder: Path, base: list[Object]) -> None:
    """Write patches that turn the base, or the overlay below, into the render with this overlay's values."""
    wanted = with_values(folder.name)
    below = BUILDS_ON.get(folder.name)
    start = with_values(below) if below else base
    known, kept = {key(item) for item in start}, {key(item) for item in wanted}
    added = [item for item in wanted if key(item) not in known]
    removed = [head(item) | {"$patch": "delete"} for item in start if key(item) not in kept]
    resources = [f"../{below}" if below else "../../base"]
    if added:
        write(folder / "added.yaml", added)
        resources.append("added.yaml")
    write(folder / "changed.yaml", patches(start, wanted))
    # Each removal is a separate patch: kubectl 1.32 crashes if a file removes an object and patches the next.
    alone = [{"patch": yaml.dump(item, sort_keys=False)} for item in removed]
    kustomization(folder, resources=resources, patches=[{"path": "changed.yaml"}, *alone])


def write_all(out: Path) -> None:
    """Write base/ and overlays/ below `out`. Deletes the previously generated files first."""
    for old in [*out.glob("base/*.yaml"), *out.glob("overlays/*/*.yaml")]:
        if old.name != "values.yaml":
            old.unlink()
    base = objects()
    write_base(out / "base", base)
    for values in sorted(K8S.glob("overlays/*/values.yaml")):
        write_overlay(out / "overlays" / values.parent.name, base)


if __name__ == "__main__":
    write_all(K8S)
