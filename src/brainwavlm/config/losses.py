"""What tuning may lower, a weight for each term, and what it may predict in place of the responses.

How a term is computed stands in encoding.losses.LOSSES, how a control is made in encoding.control_targets.CONTROLS.
"""

from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from brainwavlm.config.step import Step


class LossConfig(Step):
    """What tuning lowers: the weighted sum of the terms."""

    no_term: ClassVar = ("temperature", "ceiling_weighted", "distil")
    spatial: float = Field(
        1.0, ge=0, description="Weight of minus the mean over TRs of the correlation over voxels."
    )
    temporal: float = Field(
        0.0, ge=0, description="Weight of minus the mean over voxels of the correlation over TRs."
    )
    mse: float = Field(0.0, ge=0, description="Weight of the mean squared error.")
    contrastive: float = Field(
        0.0,
        ge=0,
        description="Weight of the cross entropy of telling by cosine which TR of a block a prediction is (NT-Xent).",
    )
    # Chen et al. 2020 (arXiv 2002.05709), table 5: 0.1 is the best of 0.05, 0.1, 0.5 and 1 on images.
    temperature: float = Field(
        0.1,
        ge=0.001,
        le=1000,
        description="contrastive: cosine similarities are divided by it; lower weighs near-duplicates more.",
    )
    ceiling_weighted: bool = Field(False, description="Weight each voxel by its noise ceiling.")
    distil: float = Field(
        0.0,
        ge=0,
        description="Weight of the squared distance of the features to those of the untuned model, as a share of their "
        "variance: against forgetting what the model knew. Reads the training stories once more before the first "
        "epoch.",
    )

    @model_validator(mode="after")
    def _some_term(self):
        terms = [name for name in type(self).model_fields if name not in self.no_term]
        if not any(getattr(self, name) for name in terms):
            raise ValueError(f"at least one of {', '.join(terms)} must be above 0")
        return self

    @property
    def lowered(self) -> dict[str, str]:
        """What each weight above 0 is a weight of, in the words of its description ("Weight of ...: ...")."""
        weights = {
            name: (field.description or "").removeprefix("Weight of ").partition(":")[0].rstrip(".")
            for name, field in type(self).model_fields.items()
            if name == "distil" or name not in self.no_term
        }
        return {name: words for name, words in weights.items() if getattr(self, name)}


ControlKind = Literal[
    "none", "shifted", "block-permuted", "phase-randomised", "other-story", "stimulus", "words", "phones"
]
# What a run of each kind of control was tuned on, as part of a sentence.
CONTROLS = {
    "shifted": "responses shifted against the sound",
    "block-permuted": "responses in blocks of another order",
    "phase-randomised": "phase-randomised responses",
    "other-story": "responses to another story",
    "stimulus": "targets made from the sound",
    "words": "embeddings of the words that were said",
    "phones": "labels of the phones that were said",
}


class ControlConfig(Step):
    """What tuning predicts in place of the responses: is it the brain? (docs/how-to/controls.md)."""

    kind: ControlKind = Field(
        "none", description="none: the responses. Test stories and scores keep them whatever the kind."
    )
    seconds: float = Field(
        20.0,
        gt=0,
        description="shifted: least distance from where a response belongs, a quarter of the story at most; "
        "block-permuted: length of a block.",
    )
    embeddings: str | None = Field(
        None,
        validate_default=True,
        description="words: file of vectors, .npz, .hf5 (english1000sm.hf5) or text (GloVe); demo: those of the demo.",
    )

    @property
    def has_voxels(self) -> bool:
        """Whether each target stands for the response of a voxel, so that the readout can be scored."""
        return self.kind not in ("stimulus", "words", "phones")

    @field_validator("embeddings")
    @classmethod
    def _some_vectors(cls, embeddings: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("kind") == "words" and embeddings is None:
            raise ValueError("a file of word vectors, with control.kind words")
        return embeddings
