"""Incidents of a detector in an array of fixed size: when it is full, the one that was quiet for longest gives way.

A live sensor has told it by then; a replay tells the latest ones.
"""

import numpy as np

from sensor.core.jit import kernel


@kernel
def free_place(raised, control):
    """Place for a new incident in raised[:]. control: `raised` in use, `unkept` that gave way."""
    if control["raised"] < raised.shape[0]:
        control["raised"] += 1
        return np.int64(control["raised"] - 1)
    oldest = np.int64(0)
    for k in range(1, raised.shape[0]):
        if raised[k]["last_ts"] < raised[oldest]["last_ts"]:
            oldest = np.int64(k)
    control["unkept"] += 1
    return oldest


@kernel
def claim(raised, control, track):
    """Make a track an incident, which from here on is `update`d."""
    at = free_place(raised, control)
    track["raised_at"] = at
    raised[at] = track


@kernel
def update(raised, track):
    """Bring a track's incident up to date, unless that has given way to another."""
    at = np.int64(track["raised_at"])
    if at >= 0 and raised[at]["key"] == track["key"] and raised[at]["first_ts"] == track["first_ts"]:
        raised[at] = track
