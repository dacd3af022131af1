"""What many worlds came to: counts, naked seconds, speed, and whether the targets were met."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.simulation.faults import Ill
from tests.simulation.oracle import Violation
from tests.simulation.setup import Result

P99_S = 30.0
MAX_S = 120.0
HEDGES_PER_HOUR = 30
ORDERS_PER_HOUR = 130
KILLS_PER_HOUR = 10
MESSAGES_PER_HOUR = 25
FIRED_IN_10_000 = 1_000
SPEED = 5.0

MESSAGES = (
    Ill.REQUEST_LOST,
    Ill.REQUEST_LATE,
    Ill.REQUEST_DOUBLED,
    Ill.RESPONSE_LOST,
    Ill.RESPONSE_LATE,
    Ill.CUT_BEFORE,
    Ill.CUT_AFTER,
)


@dataclass
class Totals:
    """Sums over worlds. Spans are (available, raw) seconds."""

    seeds: int = 0
    hours: float = 0.0
    hedges: int = 0
    orders: int = 0
    kills: int = 0
    alerts: int = 0
    alerted: int = 0
    fired: Counter[Ill] = field(default_factory=Counter)
    boundaries: Counter[str] = field(default_factory=Counter)
    spans: list[tuple[float, float]] = field(default_factory=list)
    beyond: int = 0
    beyond_spans: list[tuple[float, float]] = field(default_factory=list)
    broken: dict[str, list[tuple[int, Violation]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, result: Result) -> None:
        """One more world."""
        self.seeds += 1
        self.hours += result.hours
        self.hedges += result.hedges
        self.orders += result.orders
        self.kills += result.kills
        self.alerts += result.alerts
        self.alerted += result.alerts > 0
        self.fired += result.fired
        self.boundaries += result.boundaries
        spans = [(span.available_s, span.raw_s) for span in result.spans]
        if result.plan.beyond:  # a venue broke what it declares: an alarm is what is promised
            self.beyond += 1
            self.beyond_spans += spans
        else:
            self.spans += spans
        for violation in result.violations:
            self.broken[violation.promise].append((result.seed, violation))

    @property
    def violations(self) -> int:
        """All of them."""
        return sum(len(found) for found in self.broken.values())


def quantiles(values: Sequence[float]) -> tuple[float, float, float, float]:
    """p50, p95, p99 and the greatest."""
    ordered = sorted(values) or [0.0]
    last = len(ordered) - 1
    p50, p95, p99 = (ordered[round(last * share)] for share in (0.50, 0.95, 0.99))
    return p50, p95, p99, ordered[-1]


def lines(totals: Totals, wall_s: float) -> list[str]:
    """The report, line by line."""
    hours = totals.hours or 1.0
    naked = quantiles([available for available, _ in totals.spans])
    raw = quantiles([seconds for _, seconds in totals.spans])
    messages = sum(totals.fired[ill] for ill in MESSAGES)
    speed = f"virtual hours per wall second {totals.hours / wall_s:.2f}"
    rates = ", ".join(
        f"{name} {count} ({count / hours:.1f}/h)"
        for name, count in (
            ("hedges", totals.hedges),
            ("orders", totals.orders),
            ("kills", totals.kills),
            ("lost, late or doubled messages", messages),
        )
    )
    worst = quantiles([available for available, _ in totals.beyond_spans])[3]
    shape = "p50 {:.2f} p95 {:.2f} p99 {:.2f} max {:.2f}"
    shown = [
        f"seeds {totals.seeds}, virtual hours {totals.hours:.1f}, wall {wall_s:.1f} s, {speed}",
        f"{rates}, alerts {totals.alerts} in {totals.alerted} seeds",
        f"naked, available s: {shape.format(*naked)} ({len(totals.spans)} spans)",
        f"naked, raw s:       {shape.format(*raw)}",
        f"beyond what a venue declares: {totals.beyond} worlds, naked at most {worst:.2f} s",
    ]
    shown.append("faults by kind:")
    shown += [f"  {totals.fired[ill]:8d}  {ill.value}" for ill in Ill]
    shown.append(f"boundaries passed: {sum(totals.boundaries.values())}")
    shown.append(f"violations: {totals.violations}")
    for promise, found in sorted(totals.broken.items()):
        seeds = sorted({seed for seed, _ in found})
        shown.append(f"  promise {promise}: {len(found)} in {len(seeds)} seeds {seeds[:20]}")
        shown += [f"    seed {seed} at {v.at_s:.1f} s: {v.text}" for seed, v in found[:5]]
    return shown


def missed(totals: Totals, wall_s: float, *, speed: bool) -> list[str]:
    """Every target that was not met, as a sentence."""
    hours = totals.hours or 1.0
    _, _, p99, most = quantiles([available for available, _ in totals.spans])
    messages = sum(totals.fired[ill] for ill in MESSAGES)
    checks = [
        (p99 <= P99_S, f"naked p99 {p99:.2f} s, at most {P99_S:g}"),
        (most <= MAX_S, f"naked maximum {most:.2f} s, at most {MAX_S:g}"),
        (totals.hedges >= HEDGES_PER_HOUR * hours, f"{HEDGES_PER_HOUR} hedges per hour"),
        (totals.orders >= ORDERS_PER_HOUR * hours, f"{ORDERS_PER_HOUR} orders per hour"),
        (totals.kills >= KILLS_PER_HOUR * hours, f"{KILLS_PER_HOUR} kills per hour"),
        (messages >= MESSAGES_PER_HOUR * hours, f"{MESSAGES_PER_HOUR} messages per hour"),
        (
            not speed or totals.hours / wall_s >= SPEED,
            f"{totals.hours / wall_s:.2f} virtual hours per wall second, at least {SPEED:g}",
        ),
    ]
    if totals.seeds >= 1_000:
        least = FIRED_IN_10_000 * totals.seeds / 10_000
        checks += [
            (totals.fired[ill] >= least, f"{ill.value} fired {totals.fired[ill]} times")
            for ill in Ill
        ]
    return [text for met, text in checks if not met]
