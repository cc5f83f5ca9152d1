"""Lets a gate that is not running forget its idempotency keys, as it does by itself a day after a proposal is settled.

Usage: python forget.py DATABASE"""

import sqlite3
import sys

with sqlite3.connect(sys.argv[1]) as database:
    assert database.execute("DELETE FROM idempotency").rowcount > 0
