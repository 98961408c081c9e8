"""Scenarios by name: ordinary traffic of a shop, alone or with an attack inside, as a capture with its labels."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from sensor.simulate.attacks import ATTACKS, ROTATING, attack_scripts
from sensor.simulate.carrier import SERVER, Carrier, Done
from sensor.simulate.clients import HOST
from sensor.simulate.crowd import HOUR, crowd, more_of_them
from sensor.simulate.shop import Shop
from sensor.simulate.storefront import START, rfc3339
from sensor.simulate.wire import Frame, write_pcap

ORDINARY = "ordinary"
NAMES = (ORDINARY, *ATTACKS)
REORDERED_WITHIN = 3
"""Packets by which one may come late."""


@dataclass(frozen=True)
class Scenario:
    """What is asked for. Everything follows from it: the same values give the same bytes."""

    name: str
    seed: int = 1
    hours: float = 1.0
    people: int = 60
    """persons with an address of their own; phones, an office and a sale come on top"""
    requests: int = 2_000
    """of the attack"""
    sources: int = 1
    """addresses that it comes from"""
    rate: float = 2.0
    """its requests a second, over all sources"""
    ramp: bool = False
    """it begins at a tenth of its rate"""
    loss: float = 0.0
    """share of packets that the tap does not see"""
    reorder: float = 0.0
    """share of packets that come late"""
    machines: int = 0
    """jobs, pollers and crawlers besides those that are always there"""
    visitors: int = 0
    """people who use the shop's pages, with all that these load"""
    disguise: str = ROTATING
    """what the attack's User-Agent says"""
    http2: float = 0.0
    """share of all clients that speak HTTP/2"""


def write_scenario(scenario: Scenario, path: Path, labels: Path | None) -> dict[str, Any]:
    """Write the capture, which may be a FIFO, and its labels; returns these."""
    rng = Random(scenario.seed)
    shop = Shop(rng)
    end = START + int(scenario.hours * HOUR)
    scripts = crowd(rng, shop, START, end, scenario.people)
    if scenario.name != ORDINARY:
        begin = START + (end - START) // 3
        scripts += attack_scripts(
            rng,
            shop,
            scenario.name,
            begin,
            scenario.requests,
            scenario.sources,
            scenario.rate,
            scenario.ramp,
            scenario.disguise,
        )
    scripts += more_of_them(Random(scenario.seed + 2), shop, START, end, scenario.machines, scenario.visitors)
    carrier = Carrier(rng, scenario.http2)
    frames: Iterator[Frame] = carrier.frames(scripts)
    if scenario.loss or scenario.reorder:
        frames = disturbed(frames, Random(scenario.seed + 1), scenario.loss, scenario.reorder)
    packets = write_pcap(path, frames)
    told = _labels(scenario, carrier, packets)
    if labels is not None:
        labels.write_text(json.dumps(told, indent=1) + "\n")
    return told


def disturbed(frames: Iterator[Frame], rng: Random, loss: float, reorder: float) -> Iterator[Frame]:
    """The frames as a bad tap gives them: some lost, some after those that were sent behind them. Their times stay in order."""
    late: list[tuple[int, bytes]] = []
    for at, frame in frames:
        if rng.random() < loss:
            continue
        if rng.random() < reorder:
            late.append((rng.randint(1, REORDERED_WITHIN), frame))
            continue
        yield at, frame
        late = [(wait - 1, held) for wait, held in late]
        for wait, held in late:
            if wait <= 0:
                yield at, held
        late = [(wait, held) for wait, held in late if wait > 0]


def _labels(scenario: Scenario, carrier: Carrier, packets: int) -> dict[str, Any]:
    incidents = []
    for name, done in carrier.done.items():
        done.sort(key=lambda one: (one.at, one.address, one.port))
        attack = ATTACKS[name]
        incidents.append(
            {
                "kind": name,
                "detector": attack.detector,
                "host": HOST,
                "method": attack.method,
                "endpoint": attack.endpoint,
                "transactions": len(done),
                "first_seen": rfc3339(done[0].at),
                "last_seen": rfc3339(done[-1].at),
                "sources": sorted({one.address for one in done}),
                "requests": [_key(one) for one in done],
            }
        )
    return {
        "scenario": scenario.name,
        "seed": scenario.seed,
        "host": HOST,
        "server": f"{SERVER[0]}:{SERVER[1]}",
        "transactions": carrier.transactions,
        "packets": packets,
        "hours": scenario.hours,
        "natures": dict(sorted(carrier.natures.items())),
        "incidents": incidents,
    }


def _key(done: Done) -> list[Any]:
    """What names a transaction: time of its request, client address and port."""
    return [rfc3339(done.at), done.address, done.port]
