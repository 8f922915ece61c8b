"""`exchange share`, `catalogue`, `show` and `withdraw`."""

from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.exit_codes import CommandError, Exit
from app.cli.output import AsJson, echo, moment, print_json, words
from app.cli.session import PortalUrl, Reason, moment_of, portal_client, text_of
from app.releases.terms import TITLES, TermsTemplate

if TYPE_CHECKING:
    from app.client import PortalClient, Release, ReleaseBrief
    from app.client.models import Score, Share

PANEL = "Sharing"

commands = typer.Typer()


class Verdict(StrEnum):
    """Verdicts that a release can have."""

    INCONCLUSIVE = "inconclusive"
    NOT_REFUTED = "not_refuted"
    PROVEN = "proven"


@commands.command(
    rich_help_panel=PANEL,
    epilog='Example: exchange share dl_0123abcd --title "Chest X-rays" --summary "COVID and normal,'
    ' adults." --card card.md',
)
def share(
    distillation: Annotated[
        str, typer.Argument(help="A distillation; with --to also a release that is there.")
    ],
    title: Annotated[str | None, typer.Option(help="One line.", show_default=False)] = None,
    summary: Annotated[
        str | None, typer.Option(help="A few sentences for the catalogue.", show_default=False)
    ] = None,
    card: Annotated[
        Path | None, typer.Option(help="File with the dataset card, in Markdown.")
    ] = None,
    terms: Annotated[
        TermsTemplate, typer.Option(help="Permitted use.")
    ] = TermsTemplate.RESEARCH_ONLY,
    terms_file: Annotated[
        Path | None,
        typer.Option(help="Your own words: needed with custom, a further section with others."),
    ] = None,
    duo: Annotated[
        list[str] | None,
        typer.Option(
            help="Condition of the Data Use Ontology, as in 'DUO:0000007 tuberculosis'; "
            "repeatable.",
            show_default=False,
        ),
    ] = None,
    contact: Annotated[
        str | None, typer.Option(help="Whom to write to [default: your organisation's contact].")
    ] = None,
    citation: Annotated[str, typer.Option(help="The text to cite.", show_default=False)] = "",
    embargo: Annotated[
        str | None,
        typer.Option(help="No downloads by others before that day, as in 2027-01-31 (UTC)."),
    ] = None,
    previews: Annotated[
        bool, typer.Option("--previews", help="Show the images to organisations without access.")
    ] = False,
    supersedes: Annotated[
        str | None, typer.Option(help="An earlier release of yours that it replaces.")
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(help="Send it to this hub too, by name; repeatable.", show_default=False),
    ] = None,
    portal: PortalUrl = None,
) -> None:
    """Publish a distillation: frozen, signed, in the catalogue. The last line is its id.

    The release policy refuses sets that the privacy audit does not clear, and says why. With --to
    it goes to a hub as well, where other hospitals find it: only the release leaves.
    """
    if distillation.startswith("rel_"):
        with portal_client(portal) as client:
            _send(client, distillation, to)
        return
    with portal_client(portal) as client:
        if title is None or summary is None:
            raise CommandError(
                "A release needs --title and --summary. Nothing was published.", Exit.UNUSABLE
            )
        hubs = [client.hubs.find(name) for name in to or ()]
        release = client.releases.publish(
            distillation,
            title=title,
            summary=summary,
            card=text_of(None, card, "card") or "",
            terms=terms.value,
            custom_terms=text_of(None, terms_file, "terms") or "",
            duo=duo or (),
            contact=contact,
            citation=citation,
            embargo_until=moment_of(embargo),
            previews=previews,
            supersedes=supersedes,
        )
    echo(f"Released: {release.title}, version {release.number}, {_terms_name(release)}.")
    echo(f"Signed with {release.key.public_key} (fingerprint {release.key.fingerprint}).")
    echo("Give recipients this fingerprint by another way than the portal.")
    with portal_client(portal) as client:
        for hub in hubs:
            _say(client.hubs.share(release.id, hub.id))
    echo(release.id)


def _send(client: "PortalClient", release_id: str, to: list[str] | None) -> None:
    """Send a release that is there to hubs, or say where it was sent."""
    for name in to or ():
        client.hubs.share(release_id, client.hubs.find(name).id)
    shares = client.hubs.shares(release_id)
    for share in shares:
        _say(share)
    if not shares:
        echo("It was sent to no hub. --to names one.")


def _say(share: "Share") -> None:
    words_of = {
        "waiting": "is being sent; the portal tries until the hub has answered",
        "shared": f"is shown there: {share.address}",
        "refused": "was refused there",
        "withdrawing": "is being withdrawn there",
        "withdrawn": "was withdrawn there",
    }
    echo(f"{share.hub}: {words_of.get(share.status, share.status)}.")
    if share.problem is not None:
        echo(share.problem.detail, indent=2)


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange catalogue chest --class COVID")
def catalogue(
    find: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORDS", help="All occur in title or summary."),
    ] = None,
    class_name: Annotated[str | None, typer.Option("--class", help="A class that it has.")] = None,
    min_accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least balanced accuracy, 0 to 1.")
    ] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="Verdict of its privacy audit.")] = None,
    modality: Annotated[str | None, typer.Option(help="As in 'chest X-ray'.")] = None,
    min_images: Annotated[int | None, typer.Option(min=0, help="Fewest distilled images.")] = None,
    max_images: Annotated[int | None, typer.Option(min=0, help="Most distilled images.")] = None,
    mine: Annotated[
        bool, typer.Option("--mine", help="Your organisation's own, also withdrawn ones.")
    ] = False,
    most: Annotated[int, typer.Option("--most", min=1, help="Show at most so many.")] = 50,
    as_json: AsJson = False,
    portal: PortalUrl = None,
) -> None:
    """Find what hospitals share, newest first."""
    with portal_client(portal) as client:
        rows = (
            client.releases.mine()
            if mine
            else client.releases.search(
                " ".join(find or ()) or None,
                modality=modality,
                class_name=class_name,
                verdict=verdict,
                min_images=min_images,
                max_images=max_images,
                min_accuracy=min_accuracy,
            )
        )
        found = list(islice(rows, most + 1))
    if as_json:
        print_json(found[:most])
        return
    for row in found[:most]:
        echo(f"{row.id}  {row.title}")
        echo(_facts(row), indent=2)
        echo(row.summary, indent=2)
    if not found:
        echo("No release matches.")
    elif len(found) > most:
        echo("There are more: narrow the search, or raise --most.")


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange show rel_0123abcd --terms")
def show(
    release: str,
    card: Annotated[bool, typer.Option("--card", help="The whole dataset card too.")] = False,
    terms: Annotated[bool, typer.Option("--terms", help="The whole terms too.")] = False,
    as_json: AsJson = False,
    portal: PortalUrl = None,
) -> None:
    """Show a release, and the access of your organisation."""
    with portal_client(portal) as client:
        row = client.releases.get(release)
    if as_json:
        print_json(row)
        return
    echo(f"{row.id}  {row.title}, version {row.number}")
    echo(_facts(row), indent=2)
    echo(row.summary, indent=2)
    echo(f"Terms: {_terms_name(row)}; {', '.join(row.terms.duo) or 'no DUO conditions'}.", indent=2)
    echo(f"Bundle: {row.bundle.size} bytes, fingerprint {row.bundle.fingerprint}", indent=2)
    echo(f"Signed with {row.key.public_key} (fingerprint {row.key.fingerprint})", indent=2)
    echo(f"Contact: {row.contact}", indent=2)
    if row.downloads is not None:
        echo(f"Downloaded {row.downloads} times by others.", indent=2)
    for score in row.scores:
        echo(f"{score.organisation.name} measured {_measured(score)}", indent=2)
    if row.superseded_by:
        echo(f"Superseded by {row.superseded_by}", indent=2)
    echo(access_text(row), indent=2)
    for wanted, text in ((card, row.card or "There is no card."), (terms, row.terms.text)):
        if wanted:
            echo()
            echo(text)


@commands.command(
    rich_help_panel=PANEL,
    epilog='Example: exchange withdraw rel_0123abcd --reason "A labelling error was found."',
)
def withdraw(release: str, reason: Reason, portal: PortalUrl = None) -> None:
    """Withdraw a release: recipients are notified, and a tombstone with the reason stays.

    The reason is public: do not mention patients. This cannot be undone.
    """
    with portal_client(portal) as client:
        row = client.releases.withdraw(release, reason)
    echo(f"Withdrawn: {row.title}. Recipients were asked to delete it.")
    echo(row.id)


def access_text(row: "Release") -> str:
    """Access of the user's organisation to a release, and the next step."""
    if row.status == "withdrawn":
        return f"Withdrawn: {row.withdrawal_reason} Stop using it and delete it, if you have it."
    access = row.access
    ask = f'exchange request {row.id} --purpose "…"'
    if access.state == "granted" and access.expires_at is not None:
        return f"You may download it until {moment(access.expires_at)}: exchange download {row.id}"
    return {
        "owner": "It is your organisation's own.",
        "none": f"Request it: {ask}",
        "requested": "Requested; its owner has not decided yet.",
        "returned": f"Your request was returned with a reason (exchange requests): {ask}",
        "denied": "Your request was denied, with a reason (exchange requests).",
        "terms_to_accept": f"Granted; accept its terms: exchange accept {row.id}",
        "granted": f"You may download it: exchange download {row.id}",
        "expired": f"Your access has expired. Ask again: {ask}",
        "revoked": "Your access was revoked: delete what you have, as the terms say.",
    }.get(access.state, f"Access: {words(access.state)}.")


def _facts(row: "ReleaseBrief") -> str:
    accuracy = (
        "accuracy unknown"
        if row.balanced_accuracy is None
        else f"balanced accuracy {row.balanced_accuracy:.3f}"
    )
    facts = [
        row.organisation.name,
        row.modality,
        ", ".join(row.classes),
        f"{row.images} images of {row.image_size}×{row.image_size}",
        accuracy,
        words(row.verdict),
    ]
    if row.status != "published":
        facts.append(words(row.status))
    if row.embargo_until is not None:
        facts.append(f"not before {moment(row.embargo_until)}")
    return " · ".join(facts)


def _measured(score: "Score") -> str:
    """Format a recipient's result on its own test images."""
    try:
        figure = score.score["figures"]["balanced_accuracy"]
        said = f"balanced accuracy {figure['mean']:.3f} ± {figure['std']:.3f}"
    except (KeyError, TypeError, ValueError):
        said = "it"
    return f"{said} on its own images, {moment(score.created_at)}."


def _terms_name(row: "Release") -> str:
    known = {template.value: title for template, title in TITLES.items()}
    return known.get(row.terms.template, row.terms.template)
