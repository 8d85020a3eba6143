"""Write the files of a store's ConfigMap and Secret into a folder, so that a test can start a real store."""

from __future__ import annotations

from pathlib import Path

import yaml

from deltastream_operator.hooks.init_secrets import fill, random_text
from tests.chart.render import Object, kind, objects, template


class StoreFiles:
    """The rendered files of one store, `redis` or `mongodb`."""

    def __init__(self, component: str, *options: str) -> None:
        release = objects(template(*options))
        self.name = f"deltastream-{component}"
        self.config = _config_map(release, self.name)
        (self.stateful_set,) = [
            each for each in kind(release, "StatefulSet") if each["metadata"]["name"] == self.name
        ]
        plan = yaml.safe_load(_config_map(release, "deltastream-init-secrets")["plan.yaml"])
        (keys,) = [secret["keys"] for secret in plan["secrets"] if secret["name"] == self.name]
        self.secret = fill(keys, {}, random_text)
        """The Secret's keys and values, as the init-secrets hook would generate them."""

    def write(self, home: Path, moved: dict[str, str]) -> None:
        """Write all files into `home`, with each key of `moved` replaced by its value.

        Fails if a key of `moved` is in none of the files.
        """
        home.mkdir()
        for key in self._projected():
            (home / key).write_text(self.secret[key])
        for name, text in self.config.items():
            for old, new in moved.items():
                text = text.replace(old, new)
            (home / name).write_text(text)
        together = "".join(self.config.values())
        assert [old for old in moved if old not in together] == []

    def _projected(self) -> list[str]:
        """The keys of the store's own Secret that the pod mounts."""
        volumes = self.stateful_set["spec"]["template"]["spec"]["volumes"]
        sources = [source for volume in volumes for source in volume.get("projected", {}).get("sources", [])]
        own = [source["secret"] for source in sources if source["secret"]["name"] == self.name]
        return [item["key"] for secret in own for item in secret["items"]]


def _config_map(release: list[Object], name: str) -> dict[str, str]:
    (data,) = [each["data"] for each in kind(release, "ConfigMap") if each["metadata"]["name"] == name]
    found: dict[str, str] = data
    return found
