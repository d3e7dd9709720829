"""Models in a run's datastore: folders in, folders out.

They are kept as files, not as one archive: a local store then hands out links instead of copies of
gigabytes, and S3 moves the files side by side. So what comes out of it is only to be read.
"""

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

from metaflow import card, current, load_model, model

SELDOM = 24 * 3600
MODELS = "model_card"  # the card that `@model` would attach


def saves_models(step):
    """`@model`, whose own card would be drawn every two seconds until a model is saved."""
    return model(card(type="blank", id=MODELS, refresh_interval=SELDOM)(step))


def save_model(folder, label):
    """Keep a folder; what is returned finds it again and is to be an artifact of the run."""
    return current.model.save(str(folder), label=label, storage_format="files")


def saved_model(reference: dict | None) -> Path | None:
    """The folder of a saved model, loaded once a task and gone when it ends."""
    return _load(json.dumps(reference, sort_keys=True)) if reference else None


@cache
def _load(reference: str) -> Path:
    """Without `@model`: its card would start an interpreter every two seconds of the step."""
    folder = tempfile.mkdtemp(prefix="rasft-model-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    load_model(json.loads(reference), folder)
    return Path(folder)
