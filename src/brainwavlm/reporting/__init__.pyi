from .maps import open_maps as open_maps
from .page.evaluation import write_report as write_report
