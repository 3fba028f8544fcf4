"""The locked-down side of `code`: what both kinds of children are forked with, and how each begins.

Answers may import what stands here: a child can open no file, so nothing else can be loaded.
"""

from __future__ import annotations

# ruff: noqa: F401, ICN001
import _strptime  # type: ignore[import-not-found]
import abc
import array
import base64
import bisect
import calendar
import cmath
import collections.abc
import contextlib
import copy
import csv
import dataclasses
import datetime
import decimal
import difflib
import enum
import fractions
import functools
import hashlib
import heapq
import inspect
import io
import itertools
import json
import keyword
import math
import numbers
import operator
import os
import pprint
import queue
import random
import re
import statistics
import string
import struct
import sys
import textwrap
import threading
import time
import traceback
import types
import typing
import unicodedata
import zlib

from ..confine.wire import Wire
from . import code_answer, code_judge


def answer(reader: int, writer: int) -> None:
    """The child that runs what the model wrote: the code is the first message."""
    wire = Wire(reader, writer)
    code_answer.serve(wire.receive(), wire)


def judge(jobs: int, verdicts: int, reader: int, writer: int) -> None:
    """The child that runs the tests."""
    parent, other = Wire(jobs, verdicts), Wire(reader, writer)
    job = parent.receive()
    other.send(job["code"])
    parent.send(code_judge.judge(job["tests"], job["entryPoint"], other))
