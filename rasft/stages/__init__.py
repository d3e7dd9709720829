"""The steps of the flows as functions, a module a step: tables and model folders in and out.

Nothing here knows of the orchestrator. Rows come in and go out as Arrow tables of
`rasft.records`, models as Hugging Face folders: what a run stores must be readable after the
project's classes have moved on.
"""
