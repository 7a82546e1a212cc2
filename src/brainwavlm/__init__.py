"""Fine-tune speech models on recordings of people listening to stories, and score what that changed.

    import brainwavlm
    config = brainwavlm.load_config(preset="demo")
    run = brainwavlm.tune(config, "my-run")
    scores = brainwavlm.evaluate(run)
    print(scores.table)

Names are imported when they are first used, so that `import brainwavlm` costs nothing.

Data:
    load_dataset    a data set, recognised by its content
    check_dataset   everything that is wrong with it

Settings:
    RunConfig       what a run does
    load_config     settings from a file, a preset and overrides

Runs:
    load_backbone   a speech model from the hub or a folder, perhaps with adapters
    plan            what tuning would do and cost
    tune            tune a speech model
    Run             a run folder: settings, history, checkpoints
    open_run        open a run folder

Scores:
    score_backbone  ridge on a speech model as it is
    evaluate        frozen against tuned, on held-out stories
    partition       which features explain a score and its gain
    probe           features of the stimulus, read off hidden states
    downstream      speech tasks: phones, words, speakers, recognition, synthesis
    compare         configurations over their seeds
    transfer        models scored in other subjects

Models to hand on:
    export          a run as a folder that transformers reads, with readouts and a model card
    load            such a folder, a model on the hub or a run: features and predictions of any sound
    verify          every file of it against its checksum

Results to look at:
    write_report    one page of results
    open_maps       maps for other tools
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
