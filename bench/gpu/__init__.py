"""What holds on one GPU, and how fast it is: `python -m bench.gpu --minutes 8 --output FOLDER`.

`parts` runs each part in a process of its own with a deadline; a part appends `rows` as soon as it
has them, and `table` rewrites what a reader sees. It needs neither Metaflow nor Docker nor vLLM.
"""
