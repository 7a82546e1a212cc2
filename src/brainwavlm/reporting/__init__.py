"""What users look at: one self-contained page of an evaluation, and figures of it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brainwavlm.reporting.figures.readme import readme_figure
    from brainwavlm.reporting.page.report import write_report

__all__ = ["readme_figure", "write_report"]


def __getattr__(name: str) -> Any:
    """Import what is asked for: figures need matplotlib and nilearn, which take seconds."""
    if name == "write_report":
        from brainwavlm.reporting.page.report import write_report

        return write_report
    if name == "readme_figure":
        from brainwavlm.reporting.figures.readme import readme_figure

        return readme_figure
    raise AttributeError(f"module {__name__} has no attribute {name}")
