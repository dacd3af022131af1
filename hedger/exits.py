"""
Whether an open hedge is worth holding: one decision with a coded reason, pure.

At every look the value of staying for the next settlements is held against the cost of leaving
now and against the best other hedge. Leaving has to be paid for some day, so that cost cancels
out of "now or later"; what is left to compare is

    stay     = expected funding of the settlements still to come - the risk carried meanwhile
    rotation = value of the other hedge (its whole cost counted) - cost of leaving - stay

A spread that has turned against us is expected to decay, too; leaving and coming back costs two
round trips. So a negative ``stay`` must last for a hysteresis, unless it is expected to lose more
than leaving costs. What is urgent (a venue's word, liquidation, a person) never waits; the rest
waits for a settlement that is about to pay, if that pays more than the wait risks.

A market that is closed is no reason to leave: no order could take its leg off, and the other leg
would stand alone. A person is told.

While the rates of a hedge are in doubt (units, or beyond the venue's cap) nothing that follows
from them is a reason, and no settlement is waited for on their word; how long something has held
counts anew afterwards. Liquidation, margin, a market that leaves, a person and the longest hold
need no rate and go on.

``Memory`` is what must outlive a process: since when something holds, on the venue's market
clock, and which reasons have fired. A reason fires once.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from hedger.decay import H_MAX, DecayModel
from hedger.domain.money import BPS, ZERO
from hedger.holding import (
    BY_RATES,
    STAYS,
    URGENT,
    Action,
    Code,
    ExitRules,
    Holding,
    Judgement,
    Memory,
)

__all__ = ["judge", "stay_usd"]


def stay_usd(holding: Holding, rules: ExitRules, model: DecayModel) -> Decimal:
    """What the settlements still to come are expected to bring, less the risk of holding."""
    ahead = min(rules.horizon, H_MAX, _left(holding, rules))
    funding = model.expected_sum(holding.symbol, holding.spread_1h, ahead)
    return (funding - rules.carry_bps_per_h * ahead / BPS) * holding.size_usd


def judge(holding: Holding, rules: ExitRules, model: DecayModel, memory: Memory) -> Judgement:
    """Stay, leave, or leave after the settlement that is about to pay; with the reason."""
    stay = stay_usd(holding, rules, model)
    leave = holding.leaving_bps / BPS * holding.size_usd
    known = not holding.doubted
    memory = replace(
        memory,
        negative_since=_since(memory.negative_since, holding, known and stay < ZERO),
        flipped_since=_since(memory.flipped_since, holding, known and holding.spread_1h < ZERO),
    )
    found = dict(_reasons(holding, rules, memory, stay, leave))
    new = frozenset(found) - memory.fired
    code = next((code for code in Code if code in found and code not in STAYS), None)
    waits = code is not None and not URGENT & found.keys() and _pays(holding, rules, memory)
    action = Action.HOLD if code is None else Action.WAIT if waits else Action.LEAVE
    return Judgement(
        action=action,
        code=code,
        text="" if code is None else found[code],
        stay_usd=stay,
        leave_usd=leave,
        break_even=model.settlements_until(
            holding.symbol, holding.spread_1h, holding.leaving_bps / BPS
        ),
        memory=replace(
            memory,
            # a reason that no longer holds may fire again
            fired=frozenset(found),
            waiting_for=(memory.waiting_for or holding.next_settlement) if waits else None,
        ),
        texts=found,
        new=new,
        hints=_hints(holding, rules),
    )


def _since(before: datetime | None, holding: Holding, now: bool) -> datetime | None:
    """The settlement from which on something has held without a break."""
    return (before or holding.next_settlement) if now else None


def _passed(since: datetime | None, holding: Holding) -> int:
    """Whole settlements since then; -1 when it does not hold."""
    if since is None:
        return -1
    return int((holding.next_settlement - since) / timedelta(seconds=holding.interval_s))


def _held_h(holding: Holding) -> int:
    if holding.first_settlement is None:
        return 0
    return int((holding.next_settlement - holding.first_settlement) / timedelta(hours=1))


def _left(holding: Holding, rules: ExitRules) -> int:
    """Settlements until the longest hold is over."""
    return max(0, (rules.max_hold_h - _held_h(holding)) * 3_600 // holding.interval_s)


def _reasons(
    holding: Holding, rules: ExitRules, memory: Memory, stay: Decimal, leave: Decimal
) -> list[tuple[Code, str]]:
    """Every reason that holds."""
    every = [
        (Code.OPERATOR, holding.operator),
        (Code.LEAVING_MARKET, _leaving(holding)),
        (Code.CLOSED_MARKET, "; ".join(leg.closed for leg in holding.legs if leg.closed)),
        *_margins(holding, rules),
        (Code.VALUE, _worthless(holding, rules, memory, stay, leave)),
        (Code.FLIP, _flipped(holding, rules, memory)),
        (Code.HELD, _held(holding, rules)),
        (Code.TARGET, _target(holding, rules)),
        (Code.BASIS, _basis(holding, rules, stay)),
        (Code.ROTATION, _rotation(holding, rules, stay, leave)),
    ]
    paused = BY_RATES if holding.doubted else frozenset()
    return [(code, text) for code, text in every if text and code not in paused]


def _leaving(holding: Holding) -> str:
    """A market that is on its way out, unless another is closed: then no leg may go alone."""
    if any(leg.closed for leg in holding.legs):
        return ""
    return "; ".join(leg.leaving for leg in holding.legs if leg.leaving)


def _worthless(
    holding: Holding, rules: ExitRules, memory: Memory, stay: Decimal, leave: Decimal
) -> str:
    passed = _passed(memory.negative_since, holding)
    if passed >= rules.hysteresis:
        return f"staying has been worth less than nothing for {passed} settlements ({stay:.4f} USD)"
    if stay < ZERO and -stay > leave:
        return f"staying is expected to lose {-stay:.4f} USD, more than leaving costs ({leave:.4f})"
    return ""


def _flipped(holding: Holding, rules: ExitRules, memory: Memory) -> str:
    passed = _passed(memory.flipped_since, holding)
    if passed < rules.flip_settlements:
        return ""
    return f"the spread has been against us for {passed} settlements ({holding.spread_1h:f}/h)"


def _held(holding: Holding, rules: ExitRules) -> str:
    held = _held_h(holding)
    if held < rules.max_hold_h:
        return ""
    return f"held for {held} hours, exit.max_hold_h is {rules.max_hold_h}"


def _target(holding: Holding, rules: ExitRules) -> str:
    if rules.target_bps is None or holding.earned_usd is None:
        return ""
    earned = holding.earned_usd / holding.size_usd * BPS
    if earned < rules.target_bps:
        return ""
    return f"funding has brought {earned:.2f} bps, exit.target_bps is {rules.target_bps}"


def _basis(holding: Holding, rules: ExitRules, stay: Decimal) -> str:
    """The prices have moved together: more than leaving, and staying, is worth."""
    if rules.basis_profit_bps is None or holding.basis_bps is None:
        return ""
    profit = holding.basis_bps - holding.leaving_bps
    worth = max(stay, ZERO) / holding.size_usd * BPS
    if profit < rules.basis_profit_bps or profit <= worth:
        return ""
    return f"the prices have gained {profit:.2f} bps after the cost of leaving; staying {worth:.2f}"


def _rotation(holding: Holding, rules: ExitRules, stay: Decimal, leave: Decimal) -> str:
    other = holding.alternative
    if rules.rotation_gain_usd is None or other is None:
        return ""
    gain = other.value_usd - leave - max(stay, ZERO)
    if gain < rules.rotation_gain_usd:
        return ""
    return (
        f"{other.symbol} is worth {gain:.4f} USD more, after two costs are paid: {leave:.4f} for"
        f" leaving and {other.cost_usd:.4f} for the other hedge"
    )


def _margins(holding: Holding, rules: ExitRules) -> list[tuple[Code, str]]:
    """Legs that come close to liquidation, and legs whose margin has gone to the other venue."""
    found = []
    for leg in holding.legs:
        far, ratio = leg.liquidation_distance, leg.margin_ratio
        if far is not None and far < rules.min_liquidation_distance:
            text = f"{leg.venue} would liquidate after {far * 100:.2f} % more"
            found.append((Code.LIQUIDATION, text))
        if ratio is not None and ratio < rules.min_margin_ratio:
            text = f"the margin on {leg.venue} is {ratio:.2f} times what the position needs"
            found.append((Code.MARGIN, text))
    return found


def _hints(holding: Holding, rules: ExitRules) -> tuple[str, ...]:
    """
    How much to move between the venues so that both legs carry the same margin again; and that
    nothing can be done about a closed market.
    """
    if any(leg.closed for leg in holding.legs):
        return ("that is no reason to close; keep both accounts far from liquidation",)
    if not _margins(holding, rules):
        return ()
    spare = [(leg.spare_usd, leg.venue) for leg in holding.legs if leg.spare_usd is not None]
    if len(spare) != 2:
        return ()
    (least, poor), (most, rich) = sorted(spare)
    amount = (most - least) / 2
    return (f"move {amount:.2f} USD from {rich} to {poor}",) if amount > ZERO else ()


def _pays(holding: Holding, rules: ExitRules, memory: Memory) -> bool:
    """
    Whether the next settlement is near, pays us, and pays more than the wait for it risks.

    One settlement is waited for, not one after another.
    """
    waited = memory.waiting_for is not None and memory.waiting_for != holding.next_settlement
    wait = holding.settles_in_s
    if waited or wait is None or wait > rules.wait_s:
        return False
    if holding.doubted or holding.spread_1h <= ZERO:
        return False
    hours = Decimal(holding.interval_s) / 3_600
    pays = holding.spread_1h * hours * BPS
    return pays > rules.wait_risk_bps_per_h * int(wait) / 3_600
