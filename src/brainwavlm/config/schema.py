"""What a run does, as frozen data: with `controls` and `losses` the only place where a default lives.

A file, a preset and `--set key=value` are merged into one `RunConfig`; an unknown key is an error that names
the nearest known one. The description of a field is its help text and its row in the documentation.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from brainwavlm.config.losses import ControlConfig, LossConfig
from brainwavlm.config.step import Name, Step, without_repeats

# Which end of the order of stories a part of them is taken from.
OrderEnd = Literal["start", "end"]


class WindowConfig(Step):
    """How sound is cut for the speech model."""

    context: float = Field(
        4.0, gt=0, le=600, description="Seconds of sound the model hears up to the moment it is read."
    )
    stride: float = Field(0.25, gt=0, description="Seconds between two readings.")
    frame: Literal["last", "mean", "first"] = Field(
        "last", description="Which output frames stand for the window."
    )
    frontend: Literal["exact", "shared"] = Field(
        "exact",
        description="windows: run the frozen convolutions for each window, or once over the story: an approximation "
        "for models with group norm (base), about 16 times less work before the blocks.",
    )
    mode: Literal["windows", "stream"] = Field(
        "windows",
        description="Each window by itself, or a story in one pass under a mask that bounds what a frame sees.",
    )
    chunk: float = Field(
        8.0, ge=0.001, le=600, description="stream: seconds of readings that one segment of the story serves."
    )
    lookahead: float | None = Field(
        None,
        ge=0.001,
        le=600,
        description="stream: seconds of sound that a frame may see ahead; null: up to the next reading.",
    )


class BackboneConfig(Step):
    """The speech model and where it is read."""

    name: str = Field("microsoft/wavlm-base-plus", description="Hub id or local folder of the speech model.")
    layer: int = Field(9, ge=0, description="Hidden state that is read; 0 is the input of the first block.")
    train_noise: bool = Field(
        False, description="Keep SpecAugment, layerdrop and dropouts of the model's configuration in tuning."
    )
    batch_windows: int | None = Field(
        None,
        ge=1,
        description="Windows of one length in the model at once; null: as many as fit into memory_gb.",
    )
    memory_gb: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="GB for a batch of windows, besides what a graph keeps for gradients; null: 1, of a card a tenth.",
    )
    compile: bool = Field(
        True, description="On a CUDA card compile the blocks (torch.compile), which takes some seconds a run."
    )


class AdapterConfig(Step):
    """What of the speech model may change."""

    method: Literal["lora", "full", "frozen", "reinit"] = Field(
        "lora",
        description="Low-rank adapters, all weights of the blocks, nothing, or blocks that begin anew from random "
        "weights.",
    )
    after_reinit: Literal["full", "lora"] = Field(
        "full", description="reinit: what of the blocks that begin anew is trained."
    )
    reinit_seed: int = Field(
        0, ge=0, le=2**32 - 1, description="reinit: seed of the random weights, apart from that of the run."
    )
    rank: int = Field(4, ge=1, le=4096, description="Rank of the adapters.")
    alpha: float | None = Field(
        None, gt=0, description="Scale of the adapters is alpha / rank; null: alpha = rank."
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout before the adapters.")
    projections: tuple[Literal["q", "k", "v", "out"], ...] = Field(
        ("q", "k", "v"), min_length=1, description="Attention projections that carry adapters."
    )
    layers: tuple[int, int] | None = Field(
        None,
        description="First and last block (from 1) that are adapted, trained or begun anew; null: all that are run.",
    )
    rslora: bool = Field(False, description="Scale by alpha / sqrt(rank).")
    dora: bool = Field(False, description="Split weights into magnitude and direction (DoRA).")

    _once = field_validator("projections")(without_repeats)


class AlignmentConfig(Step):
    """How windows become rows of the design matrix."""

    tr_reference: Literal["onset", "centre"] = Field(
        "onset", description="Read features at the start of a TR, or half a TR later."
    )
    delays: tuple[int, ...] = Field((1, 2, 3, 4), min_length=1, description="Delays in TRs (FIR).")
    lobes: int = Field(3, ge=1, description="Half-width of the Lanczos kernel in TRs.")

    _once = field_validator("delays")(without_repeats)

    @field_validator("delays")
    @classmethod
    def _reachable(cls, delays: tuple[int, ...]) -> tuple[int, ...]:
        if min(delays) < 0 or max(delays) > 10_000:
            raise ValueError("delays from 0 to 10000 TRs")
        return delays


class ReadoutConfig(Step):
    """From the design matrix to voxels while tuning."""

    kind: Literal["bottleneck", "linear", "ridge-fixed"] = Field(
        "bottleneck", description="Two linear maps, one, or the closed-form ridge solution, never trained."
    )
    width: int = Field(100, ge=1, le=65536, description="Width between the two maps of the bottleneck.")
    refresh: int = Field(
        0,
        ge=0,
        description="ridge-fixed: solve again every so many epochs on the present features; 0: never.",
    )
    shared: bool = Field(
        False,
        description="joint: one readout for all subjects instead of one each, over the vertices of a common surface "
        "that all of them have.",
    )


class TrainingConfig(Step):
    """The loop."""

    epochs: int = Field(20, ge=0, description="Passes over the training stories.")
    block_rows: int = Field(10, ge=2, description="Consecutive TRs of one block.")
    slow: int = Field(
        1,
        ge=1,
        le=1000,
        description="Tune on responses low-passed to every so many TRs, as of a slower scanner; scores: full rate.",
    )
    blocks_per_step: int = Field(
        1, ge=1, description="Blocks whose mean loss makes one step; processes (torchrun) share windows."
    )
    adjacent_blocks: bool = Field(
        False, description="Blocks of a step follow each other in a story: the model hears their sound once."
    )
    lr_backbone: float = Field(
        1e-4, gt=0, le=10, description="Learning rate of the speech model's trained weights."
    )
    lr_readout: float = Field(1e-4, gt=0, le=10, description="Learning rate of the readout.")
    weight_decay: float = Field(0.0, ge=0, le=10, description="Decoupled weight decay (AdamW).")
    schedule: Literal["constant", "cosine"] = Field("cosine", description="Learning rate after the warm-up.")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of all steps in which the rate rises linearly.")
    clip: float | None = Field(1.0, gt=0, description="Largest norm of the gradient; null: no clipping.")
    patience: int | None = Field(
        5, ge=1, description="Stop after so many epochs without a better validation correlation; null: never."
    )
    stories_in_memory: int = Field(8, ge=1, description="Stories held at once, whose blocks are shuffled.")
    checkpoint_steps: int | None = Field(
        None, ge=1, description="Also write a checkpoint every so many steps; null: after each epoch only."
    )
    recompute: bool = Field(
        False, description="Compute activations again in the backward pass: less memory, a third more time."
    )
    keep_epochs: bool = Field(
        False, description="Keep the checkpoint of every epoch, so that `evaluate` can score each."
    )
    frontend_cache_gb: float = Field(
        1.0,
        ge=0,
        le=1e6,
        description="Keep the frozen frontend's output in memory when it needs no more than this.",
    )
    frontend_folder: str | None = Field(
        None,
        min_length=1,
        description="Keep it in files in this folder instead, which runs and their scores may share; null: compute "
        "it in each epoch where it does not fit into memory.",
    )
    frontend_type: Literal["float32", "float16"] = Field(
        "float32",
        description="Type in which it is kept; float16 takes half the room and rounds to three digits.",
    )

    @model_validator(mode="after")
    def _whole_slow_rows(self):
        if self.slow > 1 and (self.block_rows % self.slow or self.block_rows < 2 * self.slow):
            raise ValueError(
                f"slow = {self.slow} with block_rows = {self.block_rows}: block_rows has to be a multiple of slow, "
                "twice slow or more"
            )
        return self


class QuirksConfig(Step):
    """Habits of the authors' public script of 2026, for the preset of that name. All are off by default."""

    clip_kernel: bool = Field(
        False, description="Drop the negative lobes of the Lanczos kernel while tuning."
    )
    block_delays: bool = Field(False, description="Delays see zeros, not sound, before each block.")
    block_zscore: bool = Field(False, description="z-score features over each block's own rows.")
    validation_rows: int | None = Field(
        None, ge=2, description="Score only so many first rows of each 500 of a validation story."
    )
    epoch_by_ridge: bool = Field(
        False,
        description="Choose the epoch by ridge fitted anew on the training stories after each, over all rows of the "
        "validation stories, not by the trained readout; epoch 0, the untuned model, may win. Costs a fit an epoch.",
    )
    run_unused_blocks: bool = Field(
        False, description="Run and adapt the blocks above the layer that is read."
    )
    std_unbiased: bool = Field(
        False, description="Correlation in the loss with an n - 1 deviation under an n mean."
    )
    nan_voxels: bool = Field(
        False, description="Leave voxels out of a block in which they are NaN, not of the run."
    )
    fixed_story_order: bool = Field(False, description="Shuffle blocks once, not once an epoch.")
    short_tail: bool = Field(
        False, description="Skip a last block of fewer than 2 rows instead of merging it."
    )


class RidgeConfig(Step):
    """Closed-form scoring."""

    # Beyond these bounds float32 rounds weights to zero.
    alphas: tuple[Annotated[float, Field(ge=1e-30, le=1e30)], ...] = Field(
        tuple(10.0 ** (k / 2) for k in range(17)),
        min_length=1,
        description="Penalties to choose from, one a voxel, in himalaya's convention (alpha = a squared of the "
        "older scripts of the field).",
    )
    folds: int = Field(
        5, ge=2, description="Cross-validation folds over stories; no more than there are stories."
    )
    max_rank: int = Field(
        64,
        ge=1,
        description="Largest rank to try for the readout that voxels share (reduced-rank ridge).",
    )
    memory_gb: float = Field(
        8.0,
        gt=0,
        le=1e6,
        description="What ridge may use, in GB (1e9 bytes), the design included: decides how many voxels are "
        "solved at once. Features and predictions are not counted.",
    )


class EvaluationConfig(Step):
    """Held-out scores."""

    targets: tuple[str, ...] = Field(
        ("cortex", "AC", "cortex-AC", "LH", "RH", "language"),
        description="Voxel sets in the table; those that a subject lacks are left out and named.",
    )
    null: Literal["shifts", "blocks"] = Field(
        "shifts",
        description="What chance does to a prediction: each story's is turned by a random offset, or cut into blocks "
        "that are put in another order.",
    )
    shifts: int = Field(1000, ge=20, description="Draws of each null: shifts, orders or swaps of blocks.")
    block_rows: int | None = Field(
        None,
        ge=1,
        description="Least length in TRs of a block that is moved, or swapped between two models; null: seven times "
        "the correlation time that is measured on what rows contribute to r.",
    )
    ceiling_floor: float = Field(
        0.2, ge=0, lt=1, description="Voxels with a ceiling at or below this have no normalised score."
    )


class ListenerConfig(Step):
    """A further subject whose responses tune the same speech model."""

    subject: Name = Field(description="Name of the subject.")
    dataset: str | None = Field(None, description="Folder of their data set; null: that of the run.")
    train: tuple[Name, ...] | None = Field(
        None, description="Training stories; null: the run's that they heard, or those of their data set."
    )
    validation: tuple[Name, ...] | None = Field(None, description="Validation stories; null: likewise.")
    test: tuple[Name, ...] | None = Field(None, description="Test stories; null: likewise.")
    train_from: OrderEnd = Field(
        "start",
        description="Which end of the order the stories of train_minutes come from for this subject.",
    )


class RunConfig(Step):
    """One run: who, which model, how tuned, how scored."""

    dataset: str = Field("demo", description="Folder of a data set, or the word demo.")
    subject: Name = Field(description="Name of the subject.")
    joint: tuple[ListenerConfig, ...] = Field(
        (),
        description="Further subjects who tune the same speech model, with a readout each, e.g. [{subject: UTS02}].",
    )
    target: str = Field(
        "cortex",
        description="Voxels that the loss sees: cortex, AC, LH, aparc:bankssts, ceiling>0.4, A+B, A-B, a file.",
    )
    regions: dict[str, tuple[str, ...]] = Field(
        {},
        description="Named unions of targets, e.g. {AC: [a2009s:G_temp_sup-G_T_transv, overlay:AC]}; they go before "
        "regions of the same name that the data set has.",
    )
    train: tuple[Name, ...] | None = Field(
        None, description="Training stories; null: those of the data set's split."
    )
    validation: tuple[Name, ...] | None = Field(None, description="Validation stories; null: the data set's.")
    test: tuple[Name, ...] | None = Field(None, description="Test stories; null: the data set's.")
    train_minutes: float | None = Field(
        None,
        gt=0,
        description="Tune on whole training stories of up to so many minutes of responses, in an order drawn from the "
        "seed; ridge is fitted on all stories all the same. null: all.",
    )
    train_from: OrderEnd = Field(
        "start",
        description="Which end of that order: halves from the two ends are different stories.",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seed of weights, order and dropout.")
    device: str = Field("auto", description="cpu, cuda, or auto: cuda where there is one, else cpu.")
    precision: Literal["float32", "tf32", "bf16"] = Field(
        "float32",
        description="Of the speech model's products; tf32: on NVIDIA cards alone. All else is float32.",
    )
    tracking: Literal["none", "tensorboard", "wandb"] = Field("none", description="Also log there.")
    windows: WindowConfig = WindowConfig()
    backbone: BackboneConfig = BackboneConfig()
    adapter: AdapterConfig = AdapterConfig()
    alignment: AlignmentConfig = AlignmentConfig()
    readout: ReadoutConfig = ReadoutConfig()
    loss: LossConfig = LossConfig()
    training: TrainingConfig = TrainingConfig()
    control: ControlConfig = ControlConfig()
    quirks: QuirksConfig = QuirksConfig()
    ridge: RidgeConfig = RidgeConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @field_validator("precision", mode="before")
    @classmethod
    def _range_of_float32(cls, precision: Any) -> Any:
        # accelerate takes the scale off in optimisers that it has prepared, and ours clips and steps by itself.
        if precision == "fp16":
            raise ValueError(
                "bf16: fp16 needs the loss scaled, and one overflow leaves weights that are no numbers"
            )
        # Its name in older runs, which YAML reads as false.
        return "float32" if precision is False or precision == "no" else precision

    @model_validator(mode="after")
    def _part_has_an_end(self):
        if self.train_minutes is None and "end" in (self.train_from, *(one.train_from for one in self.joint)):
            raise ValueError(
                "train_minutes set where train_from = end: else all stories are taken, from either end"
            )
        return self

    @model_validator(mode="after")
    def _slow_rows_correlate(self):
        slow, rows = self.training.slow, self.training.block_rows
        if slow > 1 and self.loss.temporal and rows < 3 * slow:
            raise ValueError(
                f"loss.temporal with training.slow = {slow} needs training.block_rows of {3 * slow} or more: over two "
                "rows a correlation is 1 or -1 and has no gradient"
            )
        return self

    @model_validator(mode="after")
    def _untuned_model_knew_something(self):
        if self.loss.distil and self.adapter.method == "reinit":
            raise ValueError("loss.distil 0 with adapter.method = reinit, which begins with random blocks")
        return self

    @model_validator(mode="after")
    def _several_share(self):
        if self.readout.shared and not self.joint:
            raise ValueError(
                "readout.shared only with further subjects in joint: one has nobody to share with"
            )
        return self

    @field_validator("regions")
    @classmethod
    def _nameable(cls, regions: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, parts in regions.items():
            if not re.fullmatch(r"[^\W\d]\w*", name) or name in ("cortex", "LH", "RH", "ceiling"):
                raise ValueError("names of letters, digits and _, other than cortex, LH, RH and ceiling")
            if not parts:
                raise ValueError("one target or more in each region")
        return regions
