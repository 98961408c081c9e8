"""One token is used from many networks at the same time: it was stolen, sold, or is spread over proxies (API2:2023).

Statistic: different networks (/16 of IPv4, /32 of IPv6) from which one token of a user was served at a host within an hour,
counted by the bits of a hash (linear counting; Whang 1990). ln(networks) is held against a normal distribution.

Null model: tokens of a host are used from so many networks in an hour as its other tokens are: mean and deviation of
ln(networks) over these, the token itself left out, the deviation 0.45 at the least, none of them counting for more than four
networks. API keys and Basic passwords of programs are left out, and so is a token with 30 % or more of its host's requests:
that is one that an application brings along for everybody.

Threshold: `threshold` = 13.8 nats, once in 1,000,000 tokens and hours: 9 networks in an hour where all others use one.
Cold start: a median of 1.2 networks, one token in six used from two or three (phones on their way), counts for 20 tokens: about
36 networks.
"""

import numpy as np

from detectors.base import MINUTE, Alert, Detector, View, confidence_from, duration_text, evidence_key
from detectors.roaming import new_roaming, take_tokens
from sensor.core.addresses import address_text
from sensor.core.records import AUTH

OF_USERS = np.zeros(len(AUTH), np.uint8)
OF_USERS[[AUTH["bearer"], AUTH["jwt"]]] = 1


class TokenReplay(Detector):
    """Tokens in many networks."""

    name = "token_replay"
    owasp = "API2:2023"
    severity = "high"

    threshold: float = 13.8
    """nats of the number of networks"""
    idle_minutes: int = 60
    """time within which networks count together"""

    def __init__(self, **settings: float):
        super().__init__(**settings)
        self._state = new_roaming()

    def update(self, view: View) -> None:
        take_tokens(
            self._state, view.batch.rows, view.batch.arena, OF_USERS, float(self.threshold), self.idle_minutes * MINUTE
        )  # fmt: skip

    def alerts(self, endpoints) -> list[Alert]:
        """One alert for each token, at the endpoint where it was seen first."""
        bearers = self._state.bearers
        raised = bearers[bearers["raised_ts"] > 0]
        return sorted((self._describe(one, endpoints) for one in raised), key=lambda alert: (alert.raised_at, alert.alert_id))

    def _describe(self, bearer: np.void, endpoints) -> Alert:
        incident = int(bearer["incident"])
        addresses = (
            self._state.addresses[incident] if self._state.owners[incident] == bearer["key"] else self._state.addresses[0][:0]
        )
        addresses = addresses[addresses["requests"] > 0]
        addresses = addresses[np.lexsort((addresses["lo"], addresses["hi"], -addresses["requests"].astype(np.int64)))]
        sources = [address_text(int(one["hi"]), int(one["lo"])) for one in (addresses if len(addresses) else [bearer])]
        host, method, template = self.place_of((int(bearer["key"]), 0), int(bearer["endpoint"]), endpoints)
        actor = f"token:{int(bearer['credential']):016x}"
        span = duration_text(int(bearer["last_ts"]) - int(bearer["first_ts"]))
        return Alert(
            detector=self.name,
            owasp=self.owasp,
            severity=self.severity,
            confidence=confidence_from(float(bearer["nats"]) - self.threshold),
            first_seen=int(bearer["first_ts"]),
            last_seen=int(bearer["last_ts"]),
            raised_at=int(bearer["raised_ts"]),
            host=host,
            method=method,
            endpoint=template,
            actor=actor,
            actors=len(sources),
            sources=sources,
            transactions=int(bearer["requests"]),
            statistic={"name": "surprise of networks (nats)", "value": round(float(bearer["nats"]), 2)},
            threshold=float(self.threshold),
            explanation=(
                f"{actor} was used from about {float(bearer['most']):.0f} networks within an hour at "
                f"{host}, in {int(bearer['requests'])} requests within {span}; tokens are used from one, or a few. "
                f"{len(sources)} addresses used it since that was noticed."
            ),
            evidence=[_evidence(one, method) for one in addresses[:20]],
            identity=f"{int(bearer['key']):016x}",
        )


def _evidence(address: np.void, method: str) -> str:
    """The newest request of an address."""
    source = address_text(int(address["hi"]), int(address["lo"]))
    return evidence_key(int(address["ts"]), source, int(address["port"]), method, int(address["status"]))
