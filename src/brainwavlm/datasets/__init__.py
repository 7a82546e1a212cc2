"""Who heard what, and what the scanner saw.

    load_dataset      a data set, recognised by its content
    Dataset           stories and the people who heard them; subclass it for another format
    Subject           one person: recordings, and what is known of the voxels
    Story             one sound, its transcript and its split
    Recording         the responses of one subject to one story, read when asked for
    split_recordings  a subject's recordings by split

Kinds:
    FolderDataset     a folder in the native format
    Lebel2023         OpenNeuro ds003020 as published
    demo_dataset      the embedded data set, with simulated responses
    demo_model_path   folder of the embedded speech model

Writing:
    Description       what dataset.yaml says
    Responses         responses to one story, to be written
    write_folder      write a folder in the native format
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
