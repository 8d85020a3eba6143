"""The command `init-secrets PLAN.yaml`: create the Secrets of a release and fill in missing keys.

A random value is generated once and never changed, even if the plan changes. A template is filled in on every
run, and its key is written if the result differs. So an upgrade keeps passwords and updates hosts in URLs.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deltastream_operator.errors import OperatorError
from deltastream_operator.kubernetes import names
from deltastream_operator.kubernetes.api import Api, ApiError
from deltastream_operator.parsing import strict_yaml

_REFERENCE = re.compile(r"\{([a-zA-Z0-9._-]+)\}")
_NOT_FOUND = 404
_RULES = {"random": int, "template": str}
Random = Callable[[int], str]
# Argo CD identifies its objects by the label that the release also sets. Without these annotations it would
# prune the Secrets, because no manifest contains them, and every password would change.
KEPT = {
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "argocd.argoproj.io/sync-options": "Prune=false",
}


def random_text(length: int) -> str:
    """Return `length` random characters that need no escaping in URLs, files and YAML."""
    return secrets.token_urlsafe(length)[:length].replace("-", "a").replace("_", "b")


def read_plan(file: Path) -> list[dict[str, Any]]:
    """Return the plan's Secrets. Raises OperatorError if the file is not a valid plan."""
    try:
        plan: Any = strict_yaml.read(file)
        wanted: list[dict[str, Any]] = plan["secrets"] or []
        for secret in wanted:
            for key, rule in secret["keys"].items():
                if [type(value) is _RULES.get(kind) for kind, value in rule.items()] != [True]:
                    raise OperatorError(
                        f"{file}: {secret['name']}.{key}: "
                        "must have exactly one of random (a length) and template (a text)"
                    )
    except strict_yaml.YamlError as error:
        raise OperatorError(f"{file}: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        what = "must be a plan of Secrets, with secrets[].name and secrets[].keys"
        raise OperatorError(f"{file}: {what} ({type(error).__name__})") from None
    return wanted


def fill(keys: Mapping[str, Mapping[str, Any]], present: Mapping[str, str], random: Random) -> dict[str, str]:
    """Return all values of the Secret: the `present` ones, new random values and filled templates."""
    values = dict(present)
    for key, rule in keys.items():
        if "random" in rule and not values.get(key):
            values[key] = random(int(rule["random"]))
    for key, rule in keys.items():
        if "template" in rule:
            values[key] = _REFERENCE.sub(lambda found: values.get(found[1], found[0]), rule["template"])
    return values


def _text(secret: str, key: str, value: str) -> str:
    try:
        return b64decode(value).decode()
    except ValueError:
        message = f"Secret {secret}: {key} is not UTF-8 text: correct it, or remove the key to regenerate it"
        raise OperatorError(message) from None


async def run(
    api: Api, namespace: str, plan: list[dict[str, Any]], random: Random = random_text
) -> list[str]:
    """Create or complete the Secrets of the plan. Returns one line for each. Raises ApiError."""
    lines = []
    for secret in plan:
        path = names.core_path(namespace, "secrets", secret["name"])
        try:
            found = (await api.get(path)).get("data") or {}
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            found = None
        present = {key: _text(secret["name"], key, value) for key, value in (found or {}).items()}
        values = fill(secret["keys"], present, random)
        changed = sorted(key for key, value in values.items() if present.get(key) != value)
        data = {key: b64encode(values[key].encode()).decode() for key in changed}
        if found is None:
            metadata = {"name": secret["name"], "labels": secret.get("labels", {}), "annotations": KEPT}
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
            await api.create(names.core_path(namespace, "secrets"), body)
            lines.append(f"{secret['name']}: created with {', '.join(changed)}")
        elif changed:
            await api.merge(path, {"metadata": {"annotations": KEPT}, "data": data})
            lines.append(f"{secret['name']}: wrote {', '.join(changed)}")
        else:
            lines.append(f"{secret['name']}: nothing to change")
    return lines
