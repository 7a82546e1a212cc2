from .ceiling import cc_max as cc_max
from .ceiling import cc_norm as cc_norm
from .ceiling import spe as spe
from .encoding_score import EncodingScore as EncodingScore
from .evaluate import score_backbone as score_backbone
from .evaluator import Evaluator as Evaluator
from .scores import correlation as correlation
from .scoring_plan import ScoringPlan as ScoringPlan
