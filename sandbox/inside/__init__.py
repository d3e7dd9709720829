"""What runs inside the container: standard library only, copied into the image as it is.

supervisor (process 1, reads requests) -> zygotes (fork on command) -> solution and judge, which
talk to each other over `wire_format`.
"""
