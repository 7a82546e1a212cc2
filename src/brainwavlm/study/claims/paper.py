"""The claims of BrainWavLM and of work after it, by their number in docs/results/claims.md."""

CLAIMS = {
    1: "Tuning beats ridge on the untuned model",
    2: "LoRA is steadier than full tuning",
    3: "Tuning on whole cortex hurts auditory cortex",
    4: "Tuning on auditory cortex helps it and keeps the rest",
    5: "Choice of hemisphere",
    6: "Transfer to other people",
    7: "Semantics grow without labels",
    8: "Acoustics are kept by tuning on auditory cortex",
    9: "Explicit supervision gives comparable semantics",
    10: "Choice of the loss",
    11: "More data help",
    12: "Slow responses suffice",
    13: "Transfer to ECoG",
    14: "Intrinsic dimension rises",
    15: "Context and frame",
    16: "Is it the brain? Controls",
    17: "Layers reorganise",
    18: "Nothing is forgotten",
}
# They need electrodes, which this program does not read yet.
NOT_YET = (13,)
