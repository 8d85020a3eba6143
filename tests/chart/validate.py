"""Runs in kubernetes-validate's environment: named lists of objects as JSON, and as JSON what is wrong."""

import copy
import json
import sys
from functools import cache

from kubernetes_validate import utils

# Without this every object reads a megabyte of definitions again.
utils.schema_contents = cache(utils.schema_contents)

versions = sys.argv[1:]


@cache
def problems(text):
    """What is wrong with an object; releases have many in common."""
    each, found = json.loads(text), []
    for version in versions:
        try:
            used = utils.validate(copy.deepcopy(each), version, strict=True)
            problem = "" if used == version else f"no schema of this version, only of {used}"
        except (utils.ValidationError, utils.SchemaNotFoundError) as error:
            problem = error.message
        if problem:
            found.append(f"{version} {each['kind']}/{each['metadata']['name']}: {problem}")
    return found


told = {
    name: [problem for each in objects for problem in problems(json.dumps(each))]
    for name, objects in json.load(sys.stdin).items()
}
print(json.dumps(told))
