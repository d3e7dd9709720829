"""Six additions with worked solutions, as a file of JSON lines."""

from __future__ import annotations

import json
from pathlib import Path


def write(path: Path) -> None:
    """Write the rows, whose verifier a config names."""
    rows = [
        {
            "id": f"p{i}",
            "prompt": f"What is {i} + 3?",
            "expert_response": f"So {i} + 3 = \\boxed{{{i + 3}}}",
            "answer": str(i + 3),
        }
        for i in range(6)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
