"""A run to look into: every sample, verdict, weight and token, as a page and as text.

`stored` reads a run's artifacts, `views` puts together what belongs to one problem, `evaluation`
and `changes` what belongs to a benchmark's problem and to two runs. `text` prints that; `data`
packs it and `html` makes the one file. Nothing is measured here and no model is loaded.
"""
