"""Blast radius: whom else an entry of a decision feed would hit."""

from typing import Any

from sensor.store.open import Store
from sensor.store.queries import AT_ONCE, transactions_of

Row = dict[str, Any]
RADIUS_DAYS = 7
MEMBER_SHARE = 0.8
"""Share of an actor's requests, while an incident of several goes on, that are the incident's, from which on it is a member."""
MEMBERS = 100_000
"""Members of one incident, the busiest, that are told from others."""
ACTORS = 1_000
"""Actors of one address that are counted."""
_JUDGED = "SELECT actor FROM actor_sessions GROUP BY actor HAVING argMax(toString(intent), (first_seen, version))"


def others_behind(store: Store, found: list[Row]) -> dict[str, int]:
    """How many actors that are not known to be bad were served at each source of the alerts, in RADIUS_DAYS days.

    Counted are tokens and sessions, and an address's anonymous requests where these were judged a person's or a good bot's; not
    who is in an alert, a member of a campaign, or judged bad automation.
    """
    sources = sorted({source for row in found for source in row["sources"]})
    accused = _accused(store, found)
    sql = (
        "SELECT replaceOne(IPv6NumToString(remote_ip), '::ffff:', '') AS address, "
        f"groupUniqArray({ACTORS + len(accused)})(actor) FROM transactions "
        f"WHERE ts >= (SELECT max(ts) FROM transactions) - INTERVAL {RADIUS_DAYS} DAY AND status < 400 "
        f"AND (NOT startsWith(actor, 'ip:') OR actor GLOBAL IN ({_JUDGED} IN ('person', 'good_bot'))) "
        f"AND actor GLOBAL NOT IN ({_JUDGED} = 'bad_automation') "
        "AND remote_ip IN (SELECT toIPv6(arrayJoin({sources:Array(String)}))) GROUP BY address"
    )
    hit: dict[str, int] = {}
    for at in range(0, len(sources), AT_ONCE):
        for address, actors in store.rows(sql, {"sources": sources[at : at + AT_ONCE]}):
            if others := set(actors) - accused:
                hit[address] = min(ACTORS, len(others))
    return hit


def _accused(store: Store, found: list[Row]) -> set[str]:
    """Actors of alerts, and the members of those that are about several."""
    accused = {row["actor"] for row in found}
    for row in found:
        if row["actors"] > 1:
            accused |= {f"ip:{source}" for source in row["sources"]} | _members(store, row)
    return accused


def _members(store: Store, found: Row) -> set[str]:
    """Tokens and sessions whose requests are the incident's for the most part, while it goes on."""
    where = transactions_of(found)
    sql = (
        f"WITH own AS (SELECT actor, count() AS n FROM transactions{where} AND NOT startsWith(actor, 'ip:') GROUP BY actor "
        f"ORDER BY n DESC LIMIT {MEMBERS}) "
        "SELECT actor FROM (SELECT actor, count() AS n FROM transactions "
        "WHERE ts >= parseDateTime64BestEffort({since:String}, 6, 'UTC') "
        "AND ts <= parseDateTime64BestEffort({until:String}, 6, 'UTC') "
        "AND actor GLOBAL IN (SELECT actor FROM own) GROUP BY actor) AS whole "
        f"GLOBAL INNER JOIN own USING actor WHERE own.n >= {MEMBER_SHARE} * whole.n"
    )
    return {str(actor) for (actor,) in store.rows(sql, where.values)}
