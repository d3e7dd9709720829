"""Imports every module of the project but what runs inside the sandbox; prints what fails."""

import importlib
import pkgutil
import sys

import flows  # noqa: F401  the flows themselves are started, not imported
import rasft
import sandbox

names = [
    module.name
    for package in (rasft, sandbox)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not module.name.startswith("sandbox.inside")
]
failed = {}
for name in names:
    try:
        importlib.import_module(name)
    except Exception as error:  # whatever a module ends with is what is asked for
        failed[name] = repr(error)
print(f"{len(names) - len(failed)} modules imported")
if failed:
    sys.exit("\n".join(f"{name}: {error}" for name, error in failed.items()))
