"""Imported before Metaflow: puts this tree on the path and fills in what Metaflow needs to run.

So a flow runs from any folder, installed or not, as root in a container, and inside a pod.
"""

import os
import sys
import sysconfig
from pathlib import Path

root = Path(__file__).resolve().parent.parent
# In a pod the flow's files lie loose in a folder named metaflow, and the packages are on the path:
# the folder above would be found as the library of that name.
if (root / "rasft").is_dir():
    # Behind the installed packages, whose metadata comes before a build's leftovers here, and
    # before what they add to the path, which may be another tree.
    packages = sysconfig.get_path("purelib")
    place = sys.path.index(packages) + 1 if packages in sys.path else len(sys.path)
    sys.path.insert(place, str(root))

# Metaflow starts the other nodes of a local training as `python`, which may be another one.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

if os.environ.get("USER", "root") == "root" and "USERNAME" not in os.environ:
    os.environ.setdefault("METAFLOW_USER", "rasft")  # Metaflow refuses root
# The bars of other libraries become one endless line in a task's log.
if not sys.stderr.isatty():
    os.environ.setdefault("TQDM_DISABLE", "1")
# Each local task loads a model: more of them than cores only take each other's memory, and threads
# of one that wait spinning for a core take it from the others. Training, alone, sets its own.
os.environ.setdefault("METAFLOW_RUN_MAX_WORKERS", str(os.cpu_count() or 1))
os.environ.setdefault("METAFLOW_RESUME_MAX_WORKERS", os.environ["METAFLOW_RUN_MAX_WORKERS"])
os.environ.setdefault("OMP_NUM_THREADS", "1")
