"""Files of problems: JSON lines, JSON, Parquet, CSV or TSV, also packed (.gz), also remote.

Options:

- `path`: a file, a pattern such as `data/*.parquet`, or a list of both. A relative path is taken
  from RASFT_DATA_DIR. Any address of fsspec will do: `s3://`, `https://`, `hf://`.
- `file_type`: jsonl, json, csv, tsv or parquet, for names whose suffix does not say it. JSON is a
  list of rows, or an object with one list; only it is held whole while it is read.
- `verifier`: "math", "python", "choice" or "none", for rows without such a field.
- `fields`: which field of a row fills which field of a problem, such as
  `{prompt: question, expert_response: solution, answer: extra.gold}`; a field not named here has
  its own name. `expert_response` may be a list of texts: several for one problem.
- `format`: `messages`, `sharegpt`, `alpaca`, `prompt_completion` or `fields`; left out, the first
  row's fields tell, and a note of the run says what was told.
- `answer`: where the answer of rows without one stands: `boxed`, `hashes` (after `####`),
  `field:NAME` or `{regex: PATTERN}`, always in the expert response but for a field.
- `group: true` makes one problem with several expert responses of rows with one id; `group: NAME`
  of rows that are equal in that field.

A row without an id gets the file's name and its number.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import rows_of_files
from rasft.data.source import Source
from rasft.records import Dropped, Problem


def load(source: Source) -> Iterator[Problem | Dropped]:
    """Yield the rows of the files. Raises UserError naming the option or the row."""
    return rows_of_files.load("files", source)
