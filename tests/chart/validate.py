"""Validate Kubernetes objects against the schemas of the versions given as arguments.

Runs in the environment of kubernetes-validate. Reads lists of objects by name as JSON from standard input,
and prints the lists of problems by the same names as JSON.
"""

import copy
import json
import sys
from functools import cache

from kubernetes_validate import utils

# Without this cache, each object would read a megabyte of definitions again.
utils.schema_contents = cache(utils.schema_contents)

versions = sys.argv[1:]


@cache
def problems(text):
    """The problems of an object. Cached, because releases have many objects in common."""
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


result = {
    name: [problem for each in objects for problem in problems(json.dumps(each))]
    for name, objects in json.load(sys.stdin).items()
}
print(json.dumps(result))
