"""
What many worlds came to: counts, naked seconds, lanes, speed, and whether the targets were met.

A target is judged where the sample is large enough to say something; where it is not, the
report says that it was not judged.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.simulation.beyond import BELIEF_S, LOOK_S, NAKED_MAX_S, TRUE_AGAIN_S
from tests.simulation.faults import Ill
from tests.simulation.lanefacts import LaneFacts
from tests.simulation.oracle import Violation
from tests.simulation.setup import Result

P99_S = 30.0
MAX_S = 120.0
HEDGES_PER_HOUR = 30
ORDERS_PER_HOUR = 130
KILLS_PER_HOUR = 10
MESSAGES_PER_HOUR = 25
TOLD_IN_10_000 = 1_000
SPEED = 5.0
REPAIR_P99_S = 10.0
UNEXPLAINED_SHARE = 0.01

HOURS_ENOUGH = 50.0  # for what is counted per hour, and for the speed
SPANS_ENOUGH = 1_000  # for a 99th percentile of naked seconds
REPAIRS_ENOUGH = 100
SENDS_ENOUGH = 1_000
SEEDS_ENOUGH = 1_000  # for how often each kind has an effect

PROMISES = (
    "0 nothing breaks inside, and the ledger is whole",
    "1 an order leaves only after its intent is durable",
    "2 an intent executes at most once",
    "3 the ledger is what the venues know",
    "4 no leg alone for longer than allowed, and a person is alerted",
    "5 after any death everything comes to rest",
    "6 nothing flips, and nothing that is not ours is touched",
    "7 what a person is shown is so, or its doubt is said",
)
"""What the first digit of a violation stands for (the issue's list)."""

MESSAGES = (
    Ill.REQUEST_LOST,
    Ill.REQUEST_LATE,
    Ill.REQUEST_DOUBLED,
    Ill.RESPONSE_LOST,
    Ill.RESPONSE_LATE,
    Ill.CUT_BEFORE,
    Ill.CUT_AFTER,
)


EFFECT = " had an effect "
SHAPE = "p50 {:.2f} p95 {:.2f} p99 {:.2f} max {:.2f}"
SHOWN_MAX = 5


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
    told: Counter[Ill] = field(default_factory=Counter)
    boundaries: Counter[str] = field(default_factory=Counter)
    spans: list[tuple[float, float]] = field(default_factory=list)
    beyond: int = 0
    beyond_spans: list[tuple[float, float]] = field(default_factory=list)
    true_s: list[float] = field(default_factory=list)  # of those: after the venues were true again
    stuck: list[float] = field(default_factory=list)
    lanes: LaneFacts = field(default_factory=LaneFacts)
    broken: dict[str, list[tuple[str, Violation]]] = field(
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
        self.told += result.told
        self.boundaries += result.boundaries
        # what nobody could have taken off is told in a line of its own
        spans = [(span.available_s - span.stuck_s, span.raw_s) for span in result.spans]
        self.stuck += [span.stuck_s for span in result.spans if span.stuck_s]
        if result.plan.beyond:  # a venue broke what it declares: an alarm is what is promised
            self.beyond += 1
            self.beyond_spans += spans
            self.true_s += [span.true_s - span.stuck_s for span in result.spans]
        else:
            self.spans += spans
            self.lanes.add(result.lanes, result.seed)
        for violation in result.violations:
            self.broken[violation.promise].append((command(result), violation))

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


def command(result: Result) -> str:
    """What repeats a world."""
    free = "" if result.plan.ills else " --fault-free"
    return f"bin/sim --seed {result.seed} --hours {result.hours:g}{free}"


def lines(totals: Totals, wall_s: float) -> list[str]:
    """The report, line by line."""
    return [
        *_counts(totals, wall_s),
        *_seconds(totals),
        *_lanes(totals.lanes),
        "faults by kind:",
        "  (how often each struck, and how often it had an effect: it changed an answer or a",
        f"  decision while a hedge lived, which {TOLD_IN_10_000:,} in 10,000 worlds have to do)",
        *(f"  {totals.fired[ill]:8d} {totals.told[ill]:8d}  {ill.value}" for ill in Ill),
        f"boundaries passed: {sum(totals.boundaries.values())}",
        *_violations(totals),
    ]


def _counts(totals: Totals, wall_s: float) -> list[str]:
    hours = totals.hours or 1.0
    speed = f"virtual hours per wall second {totals.hours / wall_s:.2f}"
    rates = ", ".join(
        f"{name} {count} ({count / hours:.1f}/h)"
        for name, count in (
            ("hedges", totals.hedges),
            ("orders", totals.orders),
            ("kills", totals.kills),
            ("lost, late or doubled messages", messages(totals)),
        )
    )
    return [
        f"seeds {totals.seeds}, virtual hours {totals.hours:.1f}, wall {wall_s:.1f} s, {speed}",
        f"{rates}, alerts {totals.alerts} in {totals.alerted} seeds",
    ]


def _seconds(totals: Totals) -> list[str]:
    naked = quantiles([available for available, _ in totals.spans])
    raw = quantiles([seconds for _, seconds in totals.spans])
    beyond = quantiles([available for available, _ in totals.beyond_spans])
    true = quantiles(totals.true_s)
    stuck_s = max(totals.stuck, default=0.0)
    share, unheard = totals.beyond / (totals.seeds or 1), len(totals.broken.get("4 alert", ()))
    bound = (
        f"at most {TRUE_AGAIN_S:g} ({BELIEF_S:g} until a venue is believed, 2 looks {LOOK_S:g}"
        f" apart, {NAKED_MAX_S:g} to take a leg off)"
    )
    return [
        f"naked, available s: {SHAPE.format(*naked)} ({len(totals.spans)} spans)",
        f"naked, raw s:       {SHAPE.format(*raw)}",
        f"beyond what a venue declares: {totals.beyond} worlds ({share:.1%}), {unheard} no alarm",
        f"  naked, available s: {SHAPE.format(*beyond)} ({len(totals.beyond_spans)} spans)",
        f"  after the venues were true again, available s: {SHAPE.format(*true)}; {bound}",
        f"stuck beside what others hold: {len(totals.stuck)} spans, at most {stuck_s:.2f} s more",
    ]


def _lanes(lanes: LaneFacts) -> list[str]:
    repairs = quantiles([available for available, _ in lanes.repairs])
    raw = quantiles([seconds for _, seconds in lanes.repairs])
    share = lanes.unexplained / (lanes.sends or 1)
    refused = lanes.stolen + lanes.unexplained
    usable, times = "lane out of step until usable", len(lanes.repairs)
    return [
        f"{usable}, available s: {SHAPE.format(*repairs)} ({times} times)",
        f"{usable}, raw s:       {SHAPE.format(*raw)}",
        f"sends on lanes {lanes.sends}, with 21104 {refused}, {share:.2%} of sends without theft",
        *(f"  {text}" for text in lanes.texts[:5]),
    ]


def _violations(totals: Totals) -> list[str]:
    """A line for every promise, also where nothing broke it; then what broke it, to repeat."""
    shown = [f"violations: {totals.violations}"]
    for title in PROMISES:
        names = [name for name in sorted(totals.broken) if name[0] == title[0]]
        found = [one for name in names for one in totals.broken[name]]
        worlds = {command for command, _ in found}
        shown.append(f"  {len(found):6d} in {len(worlds):4d} worlds  promise {title}")
        for name in names:
            shown.append(f"         broken {name}: {len(totals.broken[name])}")
            shown += [
                f"           {v.text} (at {v.at_s:.1f} s)\n             {command}"
                for command, v in totals.broken[name][:SHOWN_MAX]
            ]
    return shown


def messages(totals: Totals) -> int:
    """Messages that were lost, late or doubled."""
    return sum(totals.fired[ill] for ill in MESSAGES)


@dataclass(frozen=True, slots=True)
class Target:
    """``sample`` is what was looked at, ``least`` what has to be before it says anything."""

    met: bool
    text: str
    sample: float = 1.0
    least: float = 0.0

    @property
    def judged(self) -> bool:
        return self.sample >= self.least


def targets(totals: Totals, wall_s: float, *, speed: bool) -> list[Target]:
    """Every target of the issue, met or not."""
    _, _, p99, most = quantiles([available for available, _ in totals.spans])
    spans = len(totals.spans)
    found = [
        Target(p99 <= P99_S, f"naked p99 {p99:.2f} s, at most {P99_S:g}", spans, SPANS_ENOUGH),
        Target(most <= MAX_S, f"naked maximum {most:.2f} s, at most {MAX_S:g}"),
        *_density(totals),
        *_lane_targets(totals.lanes),
        *_kinds(totals),
    ]
    if speed:
        pace = totals.hours / wall_s
        text = f"{pace:.2f} virtual hours per wall second, at least {SPEED:g}"
        found.append(Target(pace >= SPEED, text, totals.hours, HOURS_ENOUGH))
    return found


def _density(totals: Totals) -> list[Target]:
    hours = totals.hours or 1.0
    wanted = (
        ("hedges", totals.hedges, HEDGES_PER_HOUR),
        ("orders", totals.orders, ORDERS_PER_HOUR),
        ("kills", totals.kills, KILLS_PER_HOUR),
        ("lost, late or doubled messages", messages(totals), MESSAGES_PER_HOUR),
    )
    return [
        Target(
            count >= least * hours,
            f"{count / hours:.1f} {name} per hour, at least {least}",
            totals.hours,
            HOURS_ENOUGH,
        )
        for name, count, least in wanted
    ]


def _lane_targets(lanes: LaneFacts) -> list[Target]:
    p99 = quantiles([available for available, _ in lanes.repairs])[2]
    share = lanes.unexplained / (lanes.sends or 1)
    return [
        Target(
            p99 <= REPAIR_P99_S,
            f"a lane out of step is usable after {p99:.2f} s (p99), at most {REPAIR_P99_S:g}",
            len(lanes.repairs),
            REPAIRS_ENOUGH,
        ),
        Target(
            share < UNEXPLAINED_SHARE,
            f"{share:.2%} of sends end in 21104 without theft, fewer than {UNEXPLAINED_SHARE:.0%}",
            lanes.sends,
            SENDS_ENOUGH,
        ),
    ]


def _kinds(totals: Totals) -> list[Target]:
    """Each kind changed answers or decisions while a hedge lived; to strike alone is nothing."""
    least = TOLD_IN_10_000 * totals.seeds / 10_000
    return [
        Target(
            totals.told[ill] >= least,
            f"{ill.value}{EFFECT}{totals.told[ill]} times, at least {least:g}",
            totals.seeds,
            SEEDS_ENOUGH,
        )
        for ill in Ill
    ]


def missed(totals: Totals, wall_s: float, *, speed: bool) -> list[str]:
    """Every target that was judged and not met, as a sentence."""
    return [t.text for t in targets(totals, wall_s, speed=speed) if t.judged and not t.met]


def unjudged(totals: Totals, wall_s: float, *, speed: bool) -> list[str]:
    """Targets about which this sample says nothing, without those about single kinds."""
    return [
        target.text
        for target in targets(totals, wall_s, speed=speed)
        if not target.judged and EFFECT not in target.text
    ]
