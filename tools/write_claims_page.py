"""Writes the results in docs/results/claims.md from folders of studies, finished or not; the first one has the figure.

python tools/write_claims_page.py STUDY_FOLDER...
"""

import argparse
import re
from pathlib import Path

from brainwavlm.cli.show_study import counted
from brainwavlm.reporting.figures import Choice, write_figure
from brainwavlm.reporting.page.study_tables import findings_frame, probes_frame
from brainwavlm.study import open_study
from brainwavlm.study.claims.sentences import NOTHING
from brainwavlm.study.claims.table import Claims, claims_of
from brainwavlm.study.claims.verdicts import CLAIMS
from brainwavlm.study.folder import StudyFolder

PAGE = Path(__file__).resolve().parent.parent / "docs" / "results" / "claims.md"
PLACE = re.compile(r"(?<=<!-- claims -->\n).*?(?=<!-- end -->)", re.DOTALL)
FIGURE = Path("../images/claims.png")  # as seen from the page


def results(study: StudyFolder, claims: Claims, figure: bool) -> str:
    """A figure and tables of all findings, in Markdown."""
    hours = sum(record.seconds or 0 for record in study.cells) / 3600
    simulated = "SIMULATED responses. " if claims.simulated else ""
    rows = claims.table[claims.table["headline"].astype(bool)]
    unanswered = unanswered_in(claims)
    rows = rows[~rows["experiment"].isin(unanswered)]
    units = " or ".join(dict.fromkeys(rows["unit"].dropna()))
    frame = findings_frame(rows)
    of_voxels = " (of *r* by ridge for each voxel, beside it by the map that voxels share)" * (
        "Shared map" in frame
    )
    headings = {
        name: f"{f'{one.claim}. {CLAIMS[one.claim]}: ' if one.claim else ''}{name}"
        for name, one in study.study.experiments.items()
    }
    columns = [column for column in frame if column != "experiment"]
    lines = [columns]
    for experiment, findings in frame.groupby("experiment", sort=False):
        about = f"**{headings[experiment]}.** {study.study.experiments[experiment].question}"
        lines += [[about, *[""] * (len(columns) - 1)], *findings[columns].astype(str).to_numpy().tolist()]
    parts = [
        f"{simulated}Study `{study.study.name}`, {counted(study)}, {hours:.2f} hours of computing, brainwavlm "
        f"{study.code['version']}. Estimate{of_voxels}; 95 % interval over {units}; 95 % interval over seeds.",
        *(
            [f"![Change of mean test r of every finding under both readouts]({FIGURE.as_posix()})"]
            if figure
            else []
        ),
        markdown(lines),
    ]
    for name, one in study.study.experiments.items():
        of_probes = claims.table[claims.table["experiment"] == name]
        if one.probe is not None and one.contrasts and name not in unanswered:
            probed = probes_frame(of_probes)
            parts.append(
                f"What models of {name} predict and hold; behind each score the change from the untuned model:"
            )
            parts.append(markdown([list(probed), *probed.to_numpy().tolist()]))
            parts.append(
                f"The same drawn, r in cortex against what is read off; lines: the untuned model:\n\n"
                f"![What models of {name} predict in brains, against what they hold]({drawn(study, name).as_posix()})"
            )
    if len(claims.missing):
        names = ", ".join(f"{row.cell} ({row.step}, {row.state})" for row in claims.missing.itertuples())
        parts.append(f"Missing: {names}.")
    if unanswered:
        parts.append(f"Not answered yet: {', '.join(one for one in headings if one in unanswered)}.")
    return "\n\n".join(parts) + "\n"


def drawn(study: StudyFolder, experiment: str) -> Path:
    """Draw what models predict against what they hold; the address of the picture as seen from the page."""
    picture = FIGURE.with_name(f"{experiment}.png")
    write_picture("supervision", study, picture, Choice(experiment=[experiment]))
    return picture


def write_picture(kind: str, study: StudyFolder, picture: Path, choice: Choice) -> None:
    """A figure without its values, which the page's tables have."""
    for path in write_figure(kind, study.path, PAGE.parent / picture, choice, width=180):
        if path.suffix == ".csv":
            path.unlink()


def markdown(lines: list[list[str]]) -> str:
    """A table; the first line are its headings."""
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([rows[0], "|" + " --- |" * len(lines[0]), *rows[1:]])


def unanswered_in(claims: Claims) -> set[str]:
    """Experiments that lack a group: without all of them there is no answer yet."""
    return set(claims.table.loc[claims.table["kind"].isin(NOTHING), "experiment"])


def main() -> None:
    """Put the results of a study between the marks of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", type=Path, nargs="+")
    studies = [open_study(folder) for folder in parser.parse_args().studies]
    study, claims = studies[0], claims_of(studies[0])
    parts = [
        results(study, claims, figure=True),
        *(results(one, claims_of(one), figure=False) for one in studies[1:]),
    ]
    text, n_places = PLACE.subn(lambda _: "\n".join(parts), PAGE.read_text(encoding="utf-8"))
    if n_places != 1:
        raise SystemExit(f"{PAGE}: {n_places} places between <!-- claims --> and <!-- end -->, not one.")
    PAGE.write_text(text, encoding="utf-8")
    answered = Choice(
        experiment=[name for name in study.study.experiments if name not in unanswered_in(claims)]
    )
    write_picture("claims", study, FIGURE, answered)


if __name__ == "__main__":
    main()
