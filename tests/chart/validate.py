"""Runs in kubernetes-validate's environment: objects as JSON on stdin, a line for each that is wrong."""

import copy
import json
import sys
from functools import lru_cache

from kubernetes_validate import utils

# Without this every object reads a megabyte of definitions again.
utils.schema_contents = lru_cache(maxsize=None)(utils.schema_contents)

versions = sys.argv[1:]
for each in json.load(sys.stdin):
    for version in versions:
        try:
            used = utils.validate(copy.deepcopy(each), version, strict=True)
            problem = "" if used == version else f"no schema of this version, only of {used}"
        except (utils.ValidationError, utils.SchemaNotFoundError) as error:
            problem = error.message
        if problem:
            print(f"{version} {each['kind']}/{each['metadata']['name']}: {problem}")
