"""A model's folder in the Hugging Face layout: is it whole, and which model is it?"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from rasft.errors import UserError


def check(folder: Path) -> None:
    """Raise UserError unless the folder holds a config, a tokenizer and whole weight files."""
    check_tokenizer(folder)
    for path in weight_files(folder):
        _check_weights(path)


def check_tokenizer(folder: Path) -> None:
    """Raise UserError unless the folder holds a config and a tokenizer.

    A model that brings its own code is refused: code comes from the installed packages alone.
    """
    _check_code(folder)
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        raise UserError(f"the model folder {folder} has no tokenizer (tokenizer.json)")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model, sorted. Raises UserError if there are none, or too few."""
    found = sorted(folder.glob("*.safetensors"))
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(_read_json(index, folder).get("weight_map", {}).values())
        if missing := sorted(shards - {path.name for path in found}):
            raise UserError(f"the model folder {folder} lacks {', '.join(missing)}; copy it again")
    if not found:
        raise UserError(
            f"the model folder {folder} has no *.safetensors file; "
            "save the model with save_pretrained, which writes them"
        )
    return found


def fingerprint(folder: Path) -> str:
    """sha256 over config.json and the weight files: the same for the same model, wherever it lies.

    Raises UserError as `weight_files` does.
    """
    digest = hashlib.sha256()
    for path in [folder / "config.json", *weight_files(folder)]:
        state = path.stat()
        content = _sha256(path.resolve(), state.st_size, state.st_mtime_ns)
        digest.update(f"{path.name} {content}\n".encode())
    return digest.hexdigest()


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, modified: int) -> str:
    """Of a file's content, read once for as long as size and time of change stay."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_code(folder: Path) -> None:
    """Refuse a model that transformers could load only by running the code that comes with it."""
    config = _read_json(folder / "config.json", folder)
    if "auto_map" not in config:
        return
    from transformers import CONFIG_MAPPING

    if config.get("model_type") not in CONFIG_MAPPING:
        raise UserError(
            f"the model in {folder} brings its own code (auto_map in config.json), which is never "
            f"run; transformers must know its model_type {config.get('model_type')!r} by itself"
        )


def licence_of(card: Path) -> str | None:
    """What a model card says of the licence; None for no card, or one that says nothing."""
    from huggingface_hub import ModelCard

    if not card.is_file():
        return None
    found = ModelCard.load(card, ignore_metadata_errors=True).data.get("license")
    return str(found) if found else None


def _read_json(path: Path, folder: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"the model folder {folder} has no {path.name}; name a Hugging Face model folder"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}; copy the model again") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold a JSON object, not {type(values).__name__}")
    return values


def _check_weights(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):  # reads the header and compares it with the size
            pass
    except (SafetensorError, OSError) as error:
        raise UserError(f"the weight file {path} is broken ({error}); copy it again") from None
