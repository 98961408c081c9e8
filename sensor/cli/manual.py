"""tapwatch manual"""

import click

from sensor.cli.options import names_of


@click.command()
@click.argument("page", required=False, shell_complete=names_of("sensor.manual.pages", "names"))
@click.option("--man", is_flag=True, help="Instead, the man page tapwatch(1) as roff.")
def manual(page: str | None, man: bool) -> None:
    """Print a PAGE of the manual as Markdown, or the list of pages.

    \b
    tapwatch manual detectors | less
    tapwatch manual --man > /usr/local/share/man/man1/tapwatch.1
    """
    from sensor.manual import pages

    if man:
        click.echo(pages.man(), nl=False)
        return
    if page is None:
        click.echo("\n".join(pages.names()))
        return
    try:
        text = pages.page(page)
    except KeyError:
        raise click.BadParameter(
            f"There is no page {page!r}; there are: {', '.join(pages.names())}.", param_hint="PAGE"
        ) from None
    click.echo(text, nl=False)
