"""The evaluations, one a module; this is the list of them, in the order in which they are shown."""

from __future__ import annotations

from radcbir_core.evaluation.evaluation import Evaluation
from radcbir_core.evaluation.reports.approximation import Approximation
from radcbir_core.evaluation.reports.comparison import Comparison
from radcbir_core.evaluation.reports.duplicate_groups import DuplicateGroups
from radcbir_core.evaluation.reports.factors import Factors
from radcbir_core.evaluation.reports.hubness import Hubness
from radcbir_core.evaluation.reports.index_size import IndexSize
from radcbir_core.evaluation.reports.leakage import Leakage
from radcbir_core.evaluation.reports.mined_failures import MinedFailures
from radcbir_core.evaluation.reports.neighborhoods import Neighborhoods
from radcbir_core.evaluation.reports.paper import Paper
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.evaluation.reports.probes import Probes
from radcbir_core.evaluation.reports.ranking import Ranking
from radcbir_core.evaluation.reports.retrieval_confusion import RetrievalConfusion
from radcbir_core.evaluation.reports.robustness import Robustness
from radcbir_core.evaluation.reports.slices import Slices
from radcbir_core.evaluation.reports.space import Space
from radcbir_core.evaluation.reports.subgroups import Subgroups

EVALUATIONS: dict[str, type[Evaluation]] = {
    evaluation.kind: evaluation
    for evaluation in (
        *(Precision, Paper, Factors, Leakage, Subgroups, Ranking, Probes, IndexSize, Approximation, Space),
        *(RetrievalConfusion, MinedFailures, Hubness, Slices, Robustness),
        *(Comparison, Neighborhoods),
        DuplicateGroups,
    )
}
