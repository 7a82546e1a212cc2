"""What tuning may predict in place of the responses. How it is made stands in encoding.control_targets.CONTROLS."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from brainwavlm.config.step import Step

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
