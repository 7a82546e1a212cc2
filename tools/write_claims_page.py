"""Writes the results in docs/results/claims.md from the folder of a study, finished or not.

python tools/write_claims_page.py STUDY_FOLDER
"""

import argparse
import re
from pathlib import Path

from brainwavlm.cli.show_study import counted
from brainwavlm.formatting.numbers import number, signed
from brainwavlm.study import open_study
from brainwavlm.study.claims.paper import CLAIMS
from brainwavlm.study.claims.table import Claims, claims_of
from brainwavlm.study.folder import StudyFolder

PAGE = Path(__file__).resolve().parent.parent / "docs" / "results" / "claims.md"
PLACE = re.compile(r"(?<=<!-- claims -->\n).*?(?=<!-- end -->)", re.DOTALL)
COLUMNS = ("what came out", "estimate", "over test stories", "over seeds", "seeds", "against the report")


def results(study: StudyFolder, claims: Claims) -> str:
    """A heading and a table an experiment, in Markdown."""
    hours = sum(record.seconds or 0 for record in study.cells) / 3600
    simulated = "SIMULATED responses. " if claims.simulated else ""
    parts = [
        f"{simulated}Study `{study.study.name}`, {counted(study)}, {hours:.2f} hours of computing, brainwavlm "
        f"{study.code['version']}. 95 % intervals."
    ]
    for name, experiment in study.study.experiments.items():
        own = claims.table[(claims.table["experiment"] == name) & claims.table["headline"].astype(bool)]
        claim = (
            "" if experiment.claim is None else f"{experiment.claim}. {CLAIMS.get(experiment.claim, '')}: "
        )
        lines = [COLUMNS, ("---",) * len(COLUMNS)]
        lines += [_cells(row) for row in own.to_dict("records")]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        parts.append(f"### {claim}{name}\n\n{experiment.question}\n\n{table}")
    if len(claims.missing):
        names = ", ".join(f"{row.cell} ({row.step}, {row.state})" for row in claims.missing.itertuples())
        parts.append(f"Missing: {names}.")
    return "\n\n".join(parts) + "\n"


def _cells(row: dict) -> tuple[str, ...]:
    few = row["kind"] in ("spread", "minutes")
    shown, digits = (number, 1) if few else (signed, 3)

    def ends(low: str, high: str) -> str:
        low_end, high_end = shown(_number(row[low]), digits), shown(_number(row[high]), digits)
        return "–" if low_end == "–" else f"{low_end} to {high_end}"

    return (
        str(row["sentence"]).replace("|", "\\|").replace(" SIMULATED.", ""),
        shown(_number(row["estimate"]), digits),
        ends("low", "high"),
        ends("seed_low", "seed_high"),
        str(row["n_seeds"]),
        str(row["verdict"] or ""),
    )


def _number(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]


def main() -> None:
    """Put the results of a study between the marks of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    study = open_study(parser.parse_args().study)
    text, n_places = PLACE.subn(lambda _: results(study, claims_of(study)), PAGE.read_text(encoding="utf-8"))
    if n_places != 1:
        raise SystemExit(f"{PAGE}: {n_places} places between <!-- claims --> and <!-- end -->, not one.")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
