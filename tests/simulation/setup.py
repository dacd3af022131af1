"""What is simulated, and what came of it."""

from collections import Counter
from dataclasses import dataclass, field

from hedger.settings import Settings
from tests.simulation.faults import Ill, Plan
from tests.simulation.lanefacts import LaneFacts
from tests.simulation.oracle import Violation
from tests.simulation.scenarios import Story
from tests.simulation.truth import Span


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is simulated. ``crash_at`` are boundaries, counted from 1, at which to die."""

    seed: int
    hours: float = 1.0
    plan: Plan | None = None  # None: drawn from the seed
    without: frozenset[Ill] = frozenset()  # kinds that are left out of the drawn plan
    dedicated: bool | None = None  # None: by the seed
    poor: bool | None = None  # little money in the accounts; None: by the seed
    keys: int | None = None  # of Lighter, 1 or 2; None: by the seed
    crash_at: frozenset[int] = frozenset()
    story: Story | None = None  # one hedge, instead of the usual day
    settings: Settings | None = None  # None: those of ``daemon.configuration``
    strangers: bool = True  # whether somebody else uses shared sub-accounts, too
    keep_trace: bool = False


@dataclass(kw_only=True)
class Result:
    """What came of one world."""

    seed: int
    hours: float
    violations: list[Violation]
    spans: list[Span]
    fired: Counter[Ill]
    told: Counter[Ill]  # of those, the ones that changed something while a hedge lived
    hedges: int
    orders: int
    alerts: int
    kills: int
    boundaries: Counter[str]
    digest: str
    dedicated: bool
    trace: list[str] = field(default_factory=list)
    plan: Plan
    crash_at: frozenset[int]
    story_boundaries: int  # passed before the story had ended
    deaths: Counter[str]  # by the boundary they came at
    lanes: LaneFacts
