"""Evidence for training settings: extraction of values from text, weighing, rules and conflicts."""

from jobs.web_research_hparams.evidence.agent_findings import FINDING, MAX_FINDINGS, read_candidates, read_findings
from jobs.web_research_hparams.evidence.conflicts import Conflict, find_conflicts
from jobs.web_research_hparams.evidence.rules import SettingsPoint, describe_breach, find_breaches
from jobs.web_research_hparams.evidence.weighing import Question, ValueCandidate, extract_candidates, weigh

__all__ = [
    "FINDING",
    "MAX_FINDINGS",
    "Conflict",
    "Question",
    "SettingsPoint",
    "ValueCandidate",
    "describe_breach",
    "extract_candidates",
    "find_breaches",
    "find_conflicts",
    "read_candidates",
    "read_findings",
    "weigh",
]
