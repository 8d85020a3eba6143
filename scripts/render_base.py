"""Writes k8s/base and k8s/overlays from the chart, for people without Helm: `make base`.

The base is the chart's default render without what only Helm can run: no test Jobs, no upgrade hooks, no
annotations of hooks. An overlay is its values.yaml, the only file there that is written by hand, turned into
the patches that lead to the render with these values from the base, or from the overlay that it stands on.
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
# They say who owns an object, and without Helm they would not be true.
HELM_LABELS = ("app.kubernetes.io/managed-by", "helm.sh/chart")
# The Jobs of `helm test` with their NetworkPolicy, which is no hook; and what k8s/crd brings by itself.
LEFT_OUT = ("smoke", "crd-upgrade")
HEADER = "# Written by scripts/render_base.py from charts/deltastream (make base): do not edit.\n"
# Overlays that stand on another one and not on the base.
STANDS_ON = {"minikube": "kind"}
# Lists that a strategic merge patch matches by name; every other list is replaced whole.
BY_NAME = ("containers", "initContainers", "env")

Object = dict[str, Any]
Key = tuple[str, str, str]


def key(item: Object) -> Key:
    """What names an object in one namespace."""
    return item["apiVersion"], item["kind"], item["metadata"]["name"]


def objects(*options: str) -> list[Object]:
    """The chart's render as plain objects. Raises SystemExit with what Helm says."""
    command = [str(tools.helm()), "template", NAME, str(CHART), f"--namespace={NAME}", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"charts/deltastream does not render: {done.stderr.strip()}")
    rendered = [item for item in yaml.safe_load_all(done.stdout) if item]
    return [plain(item) for item in rendered if runs_at_install(item)]


def runs_at_install(item: Object) -> bool:
    """Whether an installation has the object: no hook, or one of `pre-install`."""
    if item["metadata"]["labels"][COMPONENT] in LEFT_OUT:
        return False
    hook = item["metadata"].get("annotations", {}).get(HOOK)
    return hook is None or "pre-install" in hook.split(",")


def plain(item: Object) -> Object:
    """The object without traces of Helm. A Job that was a hook gets a hash into its name and goes by itself:
    a Job cannot be changed, and no hook deletes the last one before the next is applied. It has no deadline:
    nobody waits for it, and one that gave up during a slow download would never be started again."""
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
    """The namespace, which admits only pods that Pod Security calls `restricted`."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("audit", "enforce", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": labels}}


def patch(old: Any, new: Any, field: str = "") -> Any:
    """The strategic merge patch from one value to another. Fields that are gone become null."""
    if isinstance(old, dict) and isinstance(new, dict):
        changed = {k: patch(old[k], v, k) if k in old else v for k, v in new.items() if old.get(k) != v}
        return changed | {k: None for k in old if k not in new}
    if field in BY_NAME and [item["name"] for item in old] == [item["name"] for item in new]:
        pairs = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
        return [{"name": b["name"], **patch(a, b)} for a, b in pairs]
    return new


def head(item: Object) -> Object:
    """What a patch needs to find its object."""
    meta = {name: item["metadata"][name] for name in ("name", "namespace")}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": meta}


def patches(base: list[Object], wanted: list[Object]) -> list[Object]:
    """What changes objects of the base that are still wanted."""
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
    """Texts of several lines as blocks; lists indented, as everywhere in this repository."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def write(path: Path, items: list[Object]) -> None:
    """One file with all of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bodies = [yaml.dump(item, Dumper=_Dumper, sort_keys=False, width=120) for item in items]
    path.write_text(HEADER + "---\n".join(bodies))


def kustomization(folder: Path, **content: Any) -> None:
    """The file that kubectl starts from."""
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    write(folder / "kustomization.yaml", [{**head, **content}])


def write_base(folder: Path, base: list[Object]) -> None:
    """One file a component."""
    components: dict[str, list[Object]] = {}
    for item in base:
        components.setdefault(item["metadata"]["labels"][COMPONENT], []).append(item)
    write(folder / "namespace.yaml", [namespace()])
    for component, items in components.items():
        write(folder / f"{component}.yaml", items)
    files = [f"{component}.yaml" for component in sorted(components)]
    kustomization(folder, resources=["namespace.yaml", "../crd", *files])


def with_values(overlay: str) -> list[Object]:
    """The render with an overlay's values."""
    return objects("--values", str(K8S / "overlays" / overlay / "values.yaml"))


def write_overlay(folder: Path, base: list[Object]) -> None:
    """What leads from the base, or the overlay below, to the render with the values of the overlay."""
    wanted = with_values(folder.name)
    below = STANDS_ON.get(folder.name)
    start = with_values(below) if below else base
    known, kept = {key(item) for item in start}, {key(item) for item in wanted}
    added = [item for item in wanted if key(item) not in known]
    removed = [head(item) | {"$patch": "delete"} for item in start if key(item) not in kept]
    resources = [f"../{below}" if below else "../../base"]
    if added:
        write(folder / "added.yaml", added)
        resources.append("added.yaml")
    write(folder / "changed.yaml", patches(start, wanted))
    # Each removal by itself: kubectl 1.32 dies of a file that removes one object and patches the next.
    alone = [{"patch": yaml.dump(item, sort_keys=False)} for item in removed]
    kustomization(folder, resources=resources, patches=[{"path": "changed.yaml"}, *alone])


def write_all(out: Path) -> None:
    """base/ and overlays/ below `out`; what was generated there before goes first."""
    for old in [*out.glob("base/*.yaml"), *out.glob("overlays/*/*.yaml")]:
        if old.name != "values.yaml":
            old.unlink()
    base = objects()
    write_base(out / "base", base)
    for values in sorted(K8S.glob("overlays/*/values.yaml")):
        write_overlay(out / "overlays" / values.parent.name, base)


if __name__ == "__main__":
    write_all(K8S)
