from .dataset import check_dataset as check_dataset
from .report import Problem as Problem
from .report import Report as Report
