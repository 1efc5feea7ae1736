"""Research of training settings: a knowledge base, a search of public sources, weighing, and a recommendation."""

from jobs.web_research_hparams.knowledge import LOSS_STATES, Fact, Method, ModelSize, load_knowledge, select_relevant
from jobs.web_research_hparams.recommend import Recommendation, RecommendationRequest, TrainingPlan, recommend

__all__ = [
    "LOSS_STATES",
    "Fact",
    "Method",
    "ModelSize",
    "Recommendation",
    "RecommendationRequest",
    "TrainingPlan",
    "load_knowledge",
    "recommend",
    "select_relevant",
]
