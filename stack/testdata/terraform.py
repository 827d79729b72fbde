# Prints the resources and data sources of files of Terraform's language as JSON, by "resource KIND NAME" and "data KIND NAME".
# Literal strings have no quotes; an expression, a map included, is its text, such as ${var.name}. The blocks of a name are a
# list, those of a dynamic block among them.
import json
import sys

import hcl2


def clean(v):
    if isinstance(v, str):
        return v[1:-1].replace('\\"', '"') if len(v) > 1 and v[0] == v[-1] == '"' else v
    if isinstance(v, list):
        return [clean(item) for item in v]
    if isinstance(v, dict):
        return block(v) if v.get("__is_block__") else json.dumps(v)
    return v


def block(body):
    b = {name: clean(v) for name, v in body.items() if not name.startswith("__") and name != "dynamic"}
    for dynamic in body.get("dynamic", []):
        for name, inner in dynamic.items():
            if isinstance(inner, dict):
                b.setdefault(clean(name), []).extend(block(content) for content in inner["content"])
    return b


found = {}
for name in sys.argv[1:]:
    with open(name) as file:
        module = hcl2.load(file)
    for sort in ("resource", "data"):
        for of in module.get(sort, []):
            for kind, named in of.items():
                if isinstance(named, dict):
                    found.update({f"{sort} {clean(kind)} {clean(n)}": block(body) for n, body in named.items() if isinstance(body, dict)})
print(json.dumps(found))
