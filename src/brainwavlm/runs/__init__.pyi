from .listing import run_folders as run_folders
from .listing import summaries as summaries
from .object_store import copy_folder as copy_folder
from .run import Run as Run
from .run import open_run as open_run
