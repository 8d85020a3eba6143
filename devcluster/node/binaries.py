"""Build Kubernetes and its helper programs from their Go modules into `cache()/bin`.

The build needs the Go module proxy and no release downloads. Go's checksum database verifies the sources.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from devcluster.environment import cache
from devcluster.golang import GoError, built, compiled, go, program
from devcluster.node.errors import NodeError
from devcluster.node.paths import SOURCE
from devcluster.terminal import Say

KUBERNETES = "1.34.3"  # 1.34 is the last minor version that accepts containerd 1.6 and cgroup v1 by default
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet")
TOOLS = {
    "coredns": ("github.com/coredns/coredns", "v1.14.3"),
    "local-path-provisioner": ("github.com/rancher/local-path-provisioner", "v0.0.30"),
    "kube-router": ("github.com/cloudnativelabs/kube-router/v2/cmd/kube-router", "v2.1.0"),
}


def build(say: Say) -> Path:
    """Build the missing and outdated programs and return their folder. The first build takes minutes.

    Raises NodeError if a build fails.
    """
    try:
        return _build(say)
    except GoError as error:
        raise NodeError(str(error)) from None


def _build(say: Say) -> Path:
    folder = cache() / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    if not built(folder / "kube", KUBERNETES):
        _need_go()
        say(f"building Kubernetes {KUBERNETES} from its Go modules (once, about 6 minutes on 2 cores)")
        _kubernetes(folder)
    for name in COMPONENTS:
        link = folder / name
        if not link.is_symlink():
            link.unlink(missing_ok=True)
            link.symlink_to("kube")
    for name, (package, version) in TOOLS.items():
        if not built(folder / name, version):
            _need_go()
            say(f"building {name} {version} from its Go module (once, 1 to 2 minutes)")
            program(name, package, version)
    return folder


def _kubernetes(folder: Path) -> None:
    """Build one program with every component. The name by which it is called selects one (kube/main.go)."""
    work = cache() / "build" / "kube"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(SOURCE / "kube", work)
    go(work, "mod", "init", "deltastream.dev/kube")
    go(work, "mod", "edit", f"-require=k8s.io/kubernetes@v{KUBERNETES}")
    # k8s.io/kubernetes refers to its staging modules by folder; other modules must refer to versions v0.x.y.
    module = json.loads(go(work, "mod", "download", "-json", f"k8s.io/kubernetes@v{KUBERNETES}"))
    own = json.loads(go(work, "mod", "edit", "-json", module["GoMod"]))
    staging = [rule["Old"]["Path"] for rule in own["Replace"] if rule["New"]["Path"].startswith("./staging/")]
    version = "v0" + KUBERNETES.removeprefix("1")
    go(work, "mod", "edit", *(f"-replace={path}={path}@{version}" for path in staging))
    go(work, "mod", "tidy")
    major, minor, _ = KUBERNETES.split(".")
    about = "k8s.io/component-base/version"
    flags = [
        f"-X {about}.gitVersion=v{KUBERNETES}",
        f"-X {about}.gitMajor={major}",
        f"-X {about}.gitMinor={minor}",
    ]
    compiled(work, folder / "kube", ".", KUBERNETES, flags=flags)


def _need_go() -> None:
    if shutil.which("go") is None:
        raise NodeError(
            "the node is built from Go modules, but there is no `go` in PATH; install Go 1.25 or newer"
        )
