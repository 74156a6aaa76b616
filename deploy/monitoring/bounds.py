"""Where alerts begin. The rules take them from here, and the dashboards draw them."""

from __future__ import annotations

REWARD_SECONDS = 5.0
"""95 of 100 completions of a trainer are answered sooner."""
WAITING_SECONDS = 600.0
"""What waits longer than this for a worker or the store: as long as the front end's patience with an outage."""
UNJUDGED_SHARE = 0.01
RPC_FAULT_SHARE = 0.01
"""Of calls that end by a fault of the server's."""
ENGINE_IDLE_SHARE = 0.5
JUDGE_WAITING_SECONDS = 10.0
"""What waits that long for the judge while the engines stand idle: there are too few cells."""
WORKERS_LOST = 3.0
"""Of a pool within a quarter of an hour."""
CELLS_DESTROYED_SHARE = 0.05
"""Of the programs, those that cost their cell though it was to be used again."""
LEAKING_SHARE = 0.1
"""Of the programs, those that left something behind."""
TAMPER_GROWTH, TAMPER_ATTEMPTS = 3.0, 10.0
"""The share of half an hour beside that of six hours, and how many there are at least."""
OPEN_FILES_SHARE = 0.8
RAY_MEMORY_SHARE = 0.9
"""Ray kills workers at 0.95."""
RAY_DISK_SHARE = 0.9
