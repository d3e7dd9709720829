"""Modules that many programs import, loaded once in the zygotes and shared with every child.

Not those that hook into a fork (threading, queue, random): every child would pay for the hook.
"""

# ruff: noqa: F401
import array
import bisect
import cmath
import collections.abc
import copy
import dataclasses
import enum
import functools
import heapq
import itertools
import math
import operator
import re
import string
import typing
