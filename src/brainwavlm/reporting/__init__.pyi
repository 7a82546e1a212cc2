from .maps import open_maps as open_maps
from .page.report import write_report as write_report
