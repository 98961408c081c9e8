"""tapwatch export"""

import datetime
import ipaddress
import pathlib
import re
from collections.abc import Iterable

import click

from sensor.cli.options import common, host_option, load_settings, names_of, store_dsn_of

output_option = click.option("-o", "--output", metavar="FILE", help="Write here instead of to standard output.")


def format_option(module: str, default: str, told: str):
    """-f/--format, completed by the names of the module's FORMATS, which is imported when the shell asks."""
    return click.option(
        "-f", "--format", "form", default=default, show_default=True, metavar="NAME", help=told,
        shell_complete=names_of(module, "FORMATS"),
    )  # fmt: skip


@click.group()
def export() -> None:
    """What other tools take in, made from the store."""


@export.command("openapi")
@host_option
@click.option("-o", "--output", metavar="FILE", help="Write here (.json, .yaml, .yml) instead of JSON to standard output.")
@common
def export_openapi(host: str | None, output: str | None, store_dsn: str | None, config_path: str | None) -> None:
    """What was observed of one host's API, as an OpenAPI 3.1 document.

    \b
    tapwatch export openapi --host api.shop.test -o shop.yaml
    """
    from sensor.outputs.documents import document_text
    from sensor.outputs.openapi import openapi
    from sensor.store import open_store, queries

    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        chosen = queries.only_host(store, host)
        document = openapi(
            chosen, queries.endpoints(store, chosen), queries.parameters(store, chosen), queries.schema_fields(store, chosen)
        )
    text = document_text(document, output or ".json")
    _write(text, output)


@export.command("inventory")
@format_option("sensor.outputs.inventory", "csv", "csv or markdown.")
@host_option
@output_option
@common
def export_inventory(form: str, host: str | None, output: str | None, store_dsn: str | None, config_path: str | None) -> None:
    """All endpoints with risk, traffic and parameters, for a spreadsheet or a page.

    \b
    tapwatch export inventory --format markdown -o inventory.md
    """
    from sensor.outputs.inventory import FORMATS
    from sensor.store import open_store, queries

    _check_format(form, FORMATS)
    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        text = FORMATS[form](queries.endpoints(store, host), queries.parameters(store, host))
    _write(text, output)


@export.command("policy")
@format_option("sensor.outputs.policy.forms", "yaml", "yaml, nginx, kong or envoy.")
@host_option
@output_option
@common
def export_policy(form: str, host: str | None, output: str | None, store_dsn: str | None, config_path: str | None) -> None:
    """What a gateway may ask of each endpoint: rate, methods, credentials, sizes, bodies; each with what it rests on.

    No rule would have stopped a request of an address that is in no alert.

    \b
    tapwatch export policy --format nginx -o /etc/nginx/conf.d/tapwatch-policy.conf && nginx -t
    """
    from sensor.outputs.policy.forms import FORMATS
    from sensor.outputs.policy.rules import rules
    from sensor.store import open_store, queries

    _check_format(form, FORMATS)
    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        found = rules(queries.endpoints(store, host), queries.policy_facts(store, host), queries.schema_fields(store, host))
    _write(FORMATS[form](found), output)


@export.command("grafana")
@click.option("-o", "--output", required=True, metavar="FOLDER", help="Write one JSON file for each dashboard here.")
def export_grafana(output: str) -> None:
    """Dashboards for Grafana with its ClickHouse data source: overview, endpoint, incident, sensors.

    \b
    tapwatch export grafana -o /var/lib/grafana/dashboards
    """
    from sensor.outputs.documents import document_text
    from sensor.outputs.grafana.dashboards import dashboard_json
    from sensor.outputs.grafana.panels import dashboards

    folder = pathlib.Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be made: {error.strerror}.") from None
    for one in dashboards():
        _write(document_text(dashboard_json(one), ".json"), str(folder / f"{one.uid}.json"))


@export.command("tests")
@click.option(
    "--base-url", required=True, metavar="URL", help="Host to test, as https://staging.example: never the one in production."
)
@format_option("sensor.outputs.apitests.forms", "pytest", "pytest, http or schemathesis.")
@host_option
@output_option
@common
def export_tests(
    base_url: str, form: str, host: str | None, output: str | None, store_dsn: str | None, config_path: str | None
) -> None:
    """Tests that incidents and inventory suggest: authorisation, credentials, limits, mass assignment, old versions.

    Nothing is sent by this command, and no value that was seen is in what it writes.

    \b
    tapwatch export tests --base-url https://staging.example -o test_api.py && python -m pytest test_api.py
    """
    from sensor.outputs.apitests.cases import cases
    from sensor.outputs.apitests.forms import FORMATS
    from sensor.outputs.policy.rules import rules
    from sensor.store import open_store, queries

    _check_format(form, FORMATS)
    if not re.fullmatch(r"https?://[^\s/?#\"'\\]+(/[^\s?#\"'\\]*)?", base_url):
        raise click.BadParameter("write it as https://staging.example.", param_hint="--base-url")
    with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
        chosen = queries.only_host(store, host)
        endpoints, fields = queries.endpoints(store, chosen), queries.schema_fields(store, chosen)
        found = cases(
            endpoints, queries.parameters(store, chosen), queries.findings(store, chosen, None, None),
            queries.alerts(store, host=chosen), rules(endpoints, queries.policy_facts(store, chosen), fields),
        )  # fmt: skip
    _write(FORMATS[form](found, base_url), output)


@export.command("blocklist")
@format_option(
    "sensor.outputs.blocklist.forms",
    "csv",
    "csv, json, nftables, nginx (map), haproxy (map), haproxy-acl, envoy, aws-waf, aws-waf-v6, crowdsec or stix (2.1).",
)
@click.option(
    "--hours",
    default=24.0,
    show_default=True,
    type=click.FloatRange(0.01),
    help="Of an entry, after its last request.",
)
@click.option("--min-confidence", default=0.5, show_default=True, type=click.FloatRange(0, 1), help="Of the alert.")
@click.option(
    "--max-radius",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Leave out an address that more others used in the last 7 days, who are in no alert.",
)
@click.option(
    "--block-as",
    default="block",
    show_default=True,
    type=click.Choice(("block", "challenge", "decoy")),
    help="What is to be done to those that could be blocked.",
)
@click.option("--allow", multiple=True, metavar="NETWORK", help="Never name its addresses; may be given several times.")
@click.option("--detector", help="Alerts of this detector alone.")
@output_option
@click.option("--left-out", metavar="FILE", help="Write who is left out, and why, here (CSV) instead of to standard error.")
@click.option(
    "--follow", type=click.FloatRange(1), metavar="SECONDS", help="Write it anew whenever it has changed, until Ctrl-C."
)
@click.option("--then", metavar="COMMAND", help="With --follow: run this after each change, without a shell.")
@common
def export_blocklist(
    form: str,
    hours: float,
    min_confidence: float,
    max_radius: int,
    block_as: str,
    allow: tuple[str, ...],
    detector: str | None,
    output: str | None,
    left_out: str | None,
    follow: float | None,
    then: str | None,
    store_dsn: str | None,
    config_path: str | None,
) -> None:
    """Addresses of open alerts for a gateway, each with its expiry, confidence, alert and blast radius.

    What is left out, and why, is told on standard error. Private and local networks never appear, nor do the servers.

    \b
    tapwatch export blocklist --format nftables -o tapwatch.nft && nft -f tapwatch.nft
    tapwatch export blocklist --format nginx -o /etc/nginx/conf.d/tapwatch-feed.conf --follow 5 --then 'nginx -s reload'
    """
    from sensor.following import follow_feed
    from sensor.outputs.blocklist.forms import FORMATS
    from sensor.outputs.blocklist.rules import ONLY_REFUSING, Feed, decide, left_out_text, within
    from sensor.store import open_store, queries
    from sensor.store.radius import others_behind

    _check_format(form, FORMATS)
    if (follow and not output) or (then and not follow):
        raise click.UsageError("--follow wants a file to write (-o FILE), and --then goes with --follow.")
    if block_as != "block" and form in ONLY_REFUSING:
        raise click.UsageError(f"{form} can only refuse; --block-as goes with the formats that tell the action.")
    settings = load_settings(config_path).feeds
    try:
        allowed, ours = (
            [ipaddress.ip_network(text, strict=False) for text in texts] for texts in ((*allow, *settings.allow), settings.own)
        )
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--allow") from None

    def feed() -> tuple[Feed, str]:
        with open_store(store_dsn_of(store_dsn, config_path), create=False) as store:
            alerts = queries.alerts(store, detector=detector)
            now = queries.newest(store)
            if follow:  # entries end while nothing is seen, too
                now = max(now, datetime.datetime.now(datetime.UTC))
            radius, own = others_behind(store, alerts), queries.servers(store)
        found = within(decide(alerts, radius, own, ours, allowed, now, hours, min_confidence, max_radius, block_as), form)
        return found, FORMATS[form](found.entries, now)

    if follow and output:
        beside = pathlib.Path(left_out) if left_out else None
        follow_feed(feed, pathlib.Path(output), follow, then, lambda text: click.echo(text, err=True), beside)
        return
    found, text = feed()
    _write(text, output)
    if left_out:
        _write(left_out_text(found), left_out)
    for address, why in found.left_out if not left_out else ():
        click.echo(f"left out: {address} {why}", err=True)


def _check_format(form: str, known: Iterable[str]) -> None:
    if form not in known:
        raise click.BadParameter(f"{form!r} is no format; there are: {', '.join(known)}.", param_hint="--format")


def _write(text: str, output: str | None) -> None:
    if output:
        pathlib.Path(output).write_text(text, "utf-8")
    else:
        click.echo(text, nl=False)
