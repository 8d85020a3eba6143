"""Run one command of the chart's Helm hooks. A command opens at most one client to the API server."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from pathlib import Path

import yaml

from deltastream_operator.errors import OperatorError
from deltastream_operator.hooks import init_secrets, refused, smoke
from deltastream_operator.kubernetes import login, names
from deltastream_operator.kubernetes.api import Api, ApiError

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def run(command: str, arguments: Sequence[str]) -> int:
    """Run a command and return its exit status. Raises OperatorError if the command fails."""
    match command:
        case "init-secrets":
            plan = init_secrets.read_plan(Path(arguments[0]))
            return _with_api(lambda api: _init_secrets(api, plan))
        case "apply-crd":
            return _with_api(lambda api: _apply_crd(api, Path(arguments[0])))
        case "smoke":
            expected = smoke.load(os.environ)
            return _with_api(lambda api: smoke.run(api, expected, _say))
        case _:
            failures = asyncio.run(refused.run(arguments))
            _say("\n".join(failures) or f"all addresses refuse connections: {' '.join(arguments)}")
            return 1 if failures else 0


async def _init_secrets(api: Api, plan: list[dict[str, object]]) -> None:
    namespace = os.environ.get("NAMESPACE") or login.namespace()
    for line in await init_secrets.run(api, namespace, plan):
        _say(line)


async def _apply_crd(api: Api, file: Path) -> None:
    try:
        body = yaml.safe_load(file.read_text(encoding="utf-8"))  # strict_yaml refuses the CRD's aliases
        name = body["metadata"]["name"]
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError, RecursionError) as error:
        raise OperatorError(f"{file}: must be a CustomResourceDefinition ({type(error).__name__})") from None
    try:
        await api.get(f"{_CRDS}/{name}")
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        # Argo CD runs the hook before it creates the CRD. Only the installer has the right to create CRDs.
        _say(f"{name} does not exist yet: the installation creates it")
        return
    await api.apply(f"{_CRDS}/{name}", body, names.MANAGER, force=True)
    _say(f"{name} is applied")


def _with_api(work: Callable[[Api], Awaitable[None]]) -> int:
    async def call() -> None:
        async with Api(await login.configuration(), lambda _: None) as api:
            await work(api)

    try:
        asyncio.run(call())
    except ApiError as error:
        raise OperatorError(f"the API server: {error}") from error
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
