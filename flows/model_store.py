"""Models in a run's datastore: folders in, folders out.

They are kept as files, not as one archive: a local store then hands out links instead of copies of
gigabytes, and S3 moves the files side by side. So what comes out of it is only to be read.

`@model` would do the same with a card of its own, for which an interpreter is started every two
seconds of the step and once more at its end: seconds of a core, for a list of one model.
"""

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

from metaflow import current, load_model
from metaflow_extensions.obcheckpoint.plugins.machine_learning_utilities.datastore import task_utils
from metaflow_extensions.obcheckpoint.plugins.machine_learning_utilities.modeling_utils import core


def save_model(folder, label):
    """Keep a folder; what is returned finds it again and is to be an artifact of the run."""
    store = core.ModelSerializer(
        current.pathspec, current.retry_count, task_utils.init_datastorage_object()
    )
    return store.save(str(folder), label=label, storage_format="files")


def saved_model(reference: dict | None) -> Path | None:
    """The folder of a saved model, loaded once a task and gone when it ends."""
    return _load(json.dumps(reference, sort_keys=True)) if reference else None


@cache
def _load(reference: str) -> Path:
    folder = tempfile.mkdtemp(prefix="rasft-model-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    load_model(json.loads(reference), folder)
    return Path(folder)
