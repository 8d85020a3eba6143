"""Kubernetes and its helpers, built from their Go modules into `cache()/bin`.

No release downloads are needed, only the Go module proxy; its checksum database vouches for the sources.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cluster.node.errors import NodeError
from tests.cluster.node.paths import SOURCE
from tests.support.tools import cache

KUBERNETES = "1.34.3"  # the last line that takes containerd 1.6 and cgroup v1 without being asked
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet")
TOOLS = {
    "coredns": ("github.com/coredns/coredns", "v1.14.3"),
    "local-path-provisioner": ("github.com/rancher/local-path-provisioner", "v0.0.30"),
    "kube-router": ("github.com/cloudnativelabs/kube-router/v2/cmd/kube-router", "v2.1.0"),
}
Say = Callable[[str], None]


def build(say: Say) -> Path:
    """Build what is missing or of another version. Minutes the first time, nothing afterwards."""
    folder = cache() / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    if not _built(folder / "kube", KUBERNETES):
        _need_go()
        say(f"building Kubernetes {KUBERNETES} from its Go modules (once, about 6 minutes on 2 cores)")
        _kubernetes(folder)
    for name in COMPONENTS:
        link = folder / name
        if not link.is_symlink():
            link.unlink(missing_ok=True)
            link.symlink_to("kube")
    for name, (package, version) in TOOLS.items():
        program(name, package, version, say)
    return folder


def program(name: str, package: str, version: str, say: Say, tags: str = "") -> Path:
    """A program of a Go module, built where it is missing or of another version. Needs no root."""
    target = cache() / "bin" / name
    if not _built(target, version):
        _need_go()
        say(f"building {name} {version} from its Go module (once, 1 to 4 minutes)")
        target.parent.mkdir(parents=True, exist_ok=True)
        _tool(target, package, version, tags)
    return target


def _kubernetes(folder: Path) -> None:
    """One program that is every component, chosen by the name it is called by (kube/main.go)."""
    work = cache() / "build" / "kube"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(SOURCE / "kube", work)
    _go(work, "mod", "init", "deltastream.dev/kube")
    _go(work, "mod", "edit", f"-require=k8s.io/kubernetes@v{KUBERNETES}")
    # k8s.io/kubernetes names its staging modules by folder; outside its own tree they are v0.x.y.
    module = json.loads(_go(work, "mod", "download", "-json", f"k8s.io/kubernetes@v{KUBERNETES}"))
    own = json.loads(_go(work, "mod", "edit", "-json", module["GoMod"]))
    staging = [rule["Old"]["Path"] for rule in own["Replace"] if rule["New"]["Path"].startswith("./staging/")]
    version = "v0" + KUBERNETES.removeprefix("1")
    _go(work, "mod", "edit", *(f"-replace={path}={path}@{version}" for path in staging))
    _go(work, "mod", "tidy")
    major, minor, _ = KUBERNETES.split(".")
    about = "k8s.io/component-base/version"
    flags = [
        f"-X {about}.gitVersion=v{KUBERNETES}",
        f"-X {about}.gitMajor={major}",
        f"-X {about}.gitMinor={minor}",
    ]
    _compile(work, folder / "kube", ".", flags, KUBERNETES)


def _tool(target: Path, package: str, version: str, tags: str) -> None:
    work = cache() / "build" / target.name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    _go(work, "mod", "init", f"deltastream.dev/{target.name}")
    _go(work, "get", "-tool", f"{package}@{version}")
    _compile(work, target, package, [], version, tags)


def _compile(
    work: Path, target: Path, package: str, flags: Sequence[str], version: str, tags: str = ""
) -> None:
    # Built beside and moved: a build that was interrupted leaves nothing that looks finished.
    options = ["-trimpath", f"-tags={tags}", "-ldflags", " ".join(["-s", "-w", *flags]), "-o", "out"]
    _go(work, "build", *options, package)
    shutil.move(work / "out", target)
    _stamp(target).write_text(version)
    shutil.rmtree(work)


def _stamp(target: Path) -> Path:
    return target.with_name(f".{target.name}.version")


def _built(target: Path, version: str) -> bool:
    stamp = _stamp(target)
    return target.is_file() and stamp.is_file() and stamp.read_text() == version


def _need_go() -> None:
    if shutil.which("go") is None:
        raise NodeError(
            "programs are built from Go modules, and there is no `go` in PATH; install Go 1.25 or newer"
        )


def _go(work: Path, *arguments: str) -> str:
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
    done = subprocess.run(["go", *arguments], cwd=work, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise NodeError(f"go {' '.join(arguments[:2])} failed in {work}:\n{last}")
    return done.stdout
