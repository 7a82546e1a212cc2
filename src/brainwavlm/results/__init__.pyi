from .comparison import Comparison as Comparison
from .evaluation import Evaluation as Evaluation
from .open import open_result as open_result
from .partition import Partition as Partition
from .probes import Probes as Probes
from .replicates import Replicates as Replicates
from .speech_task import SpeechTask as SpeechTask
from .transfer import Transfer as Transfer
