"""tapwatch simulate"""

import pathlib

import click

from sensor.cli.options import json_option, verbose_option


class _Scenarios(click.ParamType):
    """Names of scenarios, looked up only when one is given: the simulator need not be loaded for --help elsewhere."""

    name = "scenario"

    def convert(self, value, param, ctx):
        from sensor.simulate.scenarios import NAMES

        if value not in NAMES:
            self.fail(f"There is no scenario {value!r}; there are: {', '.join(NAMES)}.", param, ctx)
        return value


@click.command()
@click.argument("scenario", type=_Scenarios())
@click.option("-o", "--output", "out", required=True, metavar="FILE", help="Capture to write (pcap); may be a FIFO.")
@click.option("--labels", "labels_path", metavar="FILE", help="Labels.  [default: beside the capture, as NAME.labels.json]")
@click.option("--seed", default=1, show_default=True, help="The same seed and flags give the same bytes.")
@click.option("--hours", default=1.0, show_default=True, type=click.FloatRange(0.1, 168), help="Packet time.")
@click.option(
    "--people", default=60, show_default=True, type=click.IntRange(0, 20_000), help="Persons among the ordinary traffic."
)
@click.option("--requests", default=2_000, show_default=True, type=click.IntRange(1), help="Requests of the attack.")
@click.option("--sources", default=1, show_default=True, type=click.IntRange(1, 10_000), help="Addresses that it comes from.")
@click.option(
    "--rate", default=2.0, show_default=True, type=click.FloatRange(0.001), help="Its requests a second, over all sources."
)
@click.option("--machines", default=0, show_default=True, type=click.IntRange(0, 200), help="Further jobs, pollers, crawlers.")
@click.option(
    "--visitors",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2_000),
    help="People who load pages with all that is in them.",
)
@click.option(
    "--disguise",
    default="rotating",
    show_default=True,
    type=click.Choice(("rotating", "steady", "open")),
    help="What the attack's User-Agent says: a browser anew each time, one a source, the tool itself.",
)
@click.option(
    "--http2", default=0.0, show_default=True, type=click.FloatRange(0, 1), help="Share of all clients that speak HTTP/2."
)
@click.option("--ramp", is_flag=True, help="It begins at a tenth of its rate.")
@click.option(
    "--loss", default=0.0, show_default=True, type=click.FloatRange(0, 0.5), help="Share of packets that the tap loses."
)
@click.option(
    "--reorder", default=0.0, show_default=True, type=click.FloatRange(0, 0.5), help="Share of packets that come late."
)
@json_option
@verbose_option
def simulate(out: str, labels_path: str | None, scenario: str, as_json: bool, **values) -> None:
    """A capture of ordinary traffic of a shop with a labelled attack inside.

    SCENARIO: ordinary (no attack), sweep, scrape, grid (every SKU for every postal code), stuffing, spraying, card_testing,
    coupons, fuzzing, spam, scanning, hoarding, signups, watching, paging, checkout, assignment.

    \b
    tapwatch simulate grid --requests 20000 --sources 1000 --rate 20 -o grid.pcap
    tapwatch replay grid.pcap
    """
    from sensor.cli.tables import print_json
    from sensor.simulate.scenarios import Scenario, write_scenario

    path = pathlib.Path(out)
    labels = pathlib.Path(labels_path) if labels_path else path.with_suffix(".labels.json")
    told = write_scenario(Scenario(scenario, **values), path, labels)
    if as_json:
        print_json([{name: value for name, value in told.items() if name != "incidents"}])
        return
    attack = sum(one["transactions"] for one in told["incidents"])
    click.echo(
        f"{told['transactions']:,} transactions, {attack:,} of them an attack, in {told['packets']:,} packets: {path}", err=True
    )
    click.echo(f"Labels: {labels}", err=True)
