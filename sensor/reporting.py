"""What a report tells, asked from a store in a few questions."""

import re

from sensor.core.severities import SEVERITIES
from sensor.hygiene import ENCRYPTED, hygiene
from sensor.outputs.report.contents import Incident, Report, Row
from sensor.store import queries
from sensor.store.errors import StoreError
from sensor.store.open import Store

BINS = 60
"""Stretches of time in a plot."""
INCIDENTS = 40
"""Incidents that are told one by one, the gravest first."""
POINTS = 300
"""Values of one incident in its plot."""
SERVICES, AUTOMATION = 50, 25
NUMBER = re.compile(r"\{int\}")
PLACEHOLDER = re.compile(r"\{[a-z0-9_]+\}")
QUERY_PARAMETER = re.compile(r"different values of query parameter (\S+?)[ ,.]")
NEXT = re.compile(r"Next expected: (-?\d+)")
FAILING = ("credential_stuffing", "card_testing", "code_guessing", "fuzzing", "scanning")
TRYING = ("credential_stuffing", "card_testing", "code_guessing")
"""Detectors of guesses, whose few successes are the harm."""
MICROSECONDS = 1_000_000


def gather(store: Store, host: str | None = None, since: str | None = None, until: str | None = None) -> Report:
    """The report of a store, or of one host and time. Raises StoreError where there is nothing to tell."""
    where = queries.Where()
    where.equal("host", "String", host)
    where.time("ts >=", "since", since)
    where.time("ts <=", "until", until)
    (summary,) = store.dicts(
        "SELECT count() AS transactions, uniqExact(host) AS hosts, uniq(remote_ip) AS clients, toString(min(ts)) AS first, "
        "toString(max(ts)) AS last, toUnixTimestamp64Micro(min(ts)) AS begin, toUnixTimestamp64Micro(max(ts)) AS end, "
        f"arraySort(groupUniqArray(toString(sensor))) AS sensors FROM transactions{where}",
        where.values,
    )
    if not summary["transactions"]:
        raise StoreError("There is no transaction to report on; `tapwatch endpoints` shows what the store holds.")
    alerts = sorted(
        queries.alerts(store, host=host, since=since, until=until),
        key=lambda row: (-SEVERITIES.index(row["severity"]), -row["transactions"], row["alert_id"]),
    )
    blind = _blind(store)
    return Report(
        first=summary["first"], last=summary["last"], transactions=summary["transactions"], hosts=summary["hosts"],
        clients=summary["clients"], endpoints=sorted(
            queries.endpoints(store, host, since, until), key=lambda row: (-row["risk"], -row["transactions"])
        ),
        findings=queries.findings(store, host, None, None), alerts=alerts,
        incidents=[_incident(store, alert) for alert in alerts[:INCIDENTS]], blind=blind,
        incomplete=_incomplete(store, where),
        intents=_intents(store), automation=queries.actors(store, since, until, AUTOMATION, "bad_automation"),
        services=queries.encrypted_services(store, since, until, SERVICES),
        traffic=_traffic(store, where, summary["begin"], summary["end"]), sensors=summary["sensors"],
        encrypted=next((figure for figure in blind if figure["name"] == ENCRYPTED), None),
    )  # fmt: skip


def _blind(store: Store) -> list[Row]:
    """The hygiene of all runs together."""
    rows = store.rows(
        "SELECT k, sum(v) FROM sensor_stats ARRAY JOIN mapKeys(counters) AS k, mapValues(counters) AS v GROUP BY k"
    )
    return [figure.as_dict() for figure in hygiene({name: int(count) for name, count in rows})]


def _incomplete(store: Store, where: queries.Where) -> dict[str, int]:
    """Transactions by what was not seen of them."""
    sql = f"SELECT arrayJoin(completeness) AS what, count() FROM transactions{where} GROUP BY what ORDER BY 2 DESC, 1"
    return dict(store.rows(sql, where.values))


def _intents(store: Store) -> dict[str, int]:
    """Actors by their intent, as far as one is told."""
    return dict(store.rows("SELECT intent, count() FROM actors WHERE intent != 'unknown' GROUP BY intent ORDER BY 2 DESC, 1"))


def _width(begin: int, end: int) -> int:
    """Microseconds of one of BINS stretches."""
    return max(1, -(-(end - begin + 1) // BINS))


def _traffic(store: Store, where: queries.Where, begin: int, end: int) -> list[Row]:
    width = _width(begin, end)
    classes = ", ".join(f"countIf(intDiv(status, 100) = {k}) AS c{k}" for k in range(2, 6))
    rows = store.dicts(
        "SELECT intDiv(toUnixTimestamp64Micro(ts) - {begin:Int64}, {width:Int64}) AS bin, "
        f"{classes}, countIf(status IS NULL) AS none, quantilesTDigest(0.5, 0.95)(latency_us) AS latency "
        f"FROM transactions{where} GROUP BY bin ORDER BY bin",
        where.values | {"begin": begin, "width": width},
    )
    known = {row["bin"]: row for row in rows}
    empty = {"c2": 0, "c3": 0, "c4": 0, "c5": 0, "none": 0, "latency": [None, None]}
    return [known.get(k, empty) | {"at": k * width / MICROSECONDS} for k in range(max(known, default=-1) + 1)]


def _incident(store: Store, alert: Row) -> Incident:
    found = Incident(alert)
    where = queries.transactions_of(alert)
    (span,) = store.rows(
        f"SELECT toUnixTimestamp64Micro(min(ts)), toUnixTimestamp64Micro(max(ts)), count() FROM transactions{where}",
        where.values,
    )
    begin, end, count = (int(value) for value in span)
    if not count:
        return found
    bins = {"begin": begin, "width": _width(begin, end)}
    for k, served, refused, sources in store.rows(
        "SELECT intDiv(toUnixTimestamp64Micro(ts) - {begin:Int64}, {width:Int64}) AS bin, "
        "countIf(status < 400 AND refused = ''), countIf(status >= 400 OR refused != ''), "
        f"uniqExact(remote_ip) FROM transactions{where} GROUP BY bin ORDER BY bin",
        where.values | bins,
    ):
        at = k * bins["width"] / MICROSECONDS
        found.outcomes.append((at, served, refused))
        found.sources.append((at, sources))
    found.tries = alert["detector"] in TRYING
    if alert["detector"] not in FAILING:
        found.values = _values(store, alert, where, begin)
        expected = NEXT.search(alert["explanation"])
        found.expected = float(expected[1]) if expected and found.values else None
    return found


def _values(store: Store, alert: Row, where: queries.Where, begin: int) -> list[tuple[float, float]]:
    """Numbers that an incident asked for, in the order of time: of its query parameter, or of the path's busiest one."""
    named = QUERY_PARAMETER.search(alert["explanation"])
    if named:
        terms = [("extractURLParameter(concat('?', query), {what:String})", named[1])]
    else:
        terms = [("extract(path, {what:String})", pattern) for pattern in _patterns(alert["endpoint"])]
    best: list[tuple[float, float]] = []
    for term, what in terms:
        rows = store.rows(
            f"SELECT toUnixTimestamp64Micro(ts) - {{begin:Int64}}, toInt64OrNull({term}) AS value FROM transactions{where} "
            f"ORDER BY cityHash64(ts, client_ip, client_port) LIMIT {POINTS}",
            where.values | {"begin": begin, "what": what},
        )
        points = sorted((int(at) / MICROSECONDS, float(value)) for at, value in rows if value is not None)
        if len({value for _, value in points}) > len({value for _, value in best}):
            best = points
    return best


def _patterns(template: str) -> list[str]:
    """For each number in a template, a pattern that has it as its group."""
    found = []
    for number in NUMBER.finditer(template):
        parts = (template[: number.start()], template[number.end() :])
        before, behind = ("[^/]+".join(re.escape(piece) for piece in PLACEHOLDER.split(part)) for part in parts)
        found.append(f"^{before}(-?\\d{{1,18}}){behind}$")
    return found
