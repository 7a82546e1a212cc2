from .checks import check_dataset as check_dataset
from .config import RunConfig as RunConfig
from .config import load_config as load_config
from .datasets import load_dataset as load_dataset
from .encoding import tune as tune
from .encoding.plan import plan as plan
from .evaluation import score_backbone as score_backbone
from .evaluation.compare import compare as compare
from .evaluation.evaluate import evaluate as evaluate
from .evaluation.partition import partition as partition
from .evaluation.probes.probe import probe as probe
from .evaluation.speech_tasks.downstream import downstream as downstream
from .evaluation.transfer import transfer as transfer
from .models import export as export
from .models import load as load
from .models import verify as verify
from .reporting import open_maps as open_maps
from .reporting import write_report as write_report
from .runs import Run as Run
from .runs import open_run as open_run
from .speech import load_backbone as load_backbone

__version__: str
