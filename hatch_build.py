"""What a wheel carries beside the code; an editable install finds it in the tree."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Shipped(BuildHookInterface):
    """Puts the folders that `rasft/paths.py` looks for into the package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """`version` is the kind of the build: "standard" or "editable"."""
        if version == "standard":
            build_data["force_include"] |= {"configs": "rasft/configs", "locks": "rasft/locks"}
