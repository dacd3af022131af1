"""One hedge as a file: everything that happened to it, and nothing that names us."""

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedger.audit import bundle
from hedger.audit.bundlerows import COLUMNS
from hedger.audit.placeholders import Placeholders
from hedger.common import masking
from hedger.domain.hedge import State
from hedger.domain.ids import LaneId
from hedger.domain.order import Prepared, Purpose, Reason, Refused, Side, Unresolved
from hedger.errors import StateError, UsageError
from hedger.ledger.records import LaneNote, LaneState, OrderState
from hedger.ledger.store import Store
from tests.scenarios.test_ledger_upgrades import REVISIONS, written_back
from tests.unit.ledger.build import (
    LIGHTER,
    X10,
    StepClock,
    a_hedge,
    a_payment,
    a_position,
    a_store,
    an_order,
    filled,
    settlement,
)

NOW = datetime(2026, 1, 3, tzinfo=UTC)
ID = "eth-260102213005-k3f9"
RULES = {"size_step": "0.001", "min_size": "0.01", "identity": "0x4554482d3130"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with a_store(tmp_path) as store:
        yield store


def bundled(store: Store, hedge: str = ID, **settings: Any) -> dict[str, Any]:
    return bundle.gathered(store.path, hedge, settings=settings, environment="testnet", now=NOW)


def sent(store: Store, number: int, **other: Any) -> Prepared:
    prepared = an_order(ID, number, **other)
    store.intend(prepared, rules=RULES)
    return prepared


def move(store: Store, *states: State) -> None:
    for state in states:
        store.move(store.hedge(a_hedge(ID).id), state, f"now {state}")


def a_hard_life(store: Store) -> None:
    """Every kind of outcome in one hedge; the process dies once on the way."""
    store.plan(a_hedge(ID, first_settlement_a=settlement(0), first_settlement_b=settlement(0)))
    refused = sent(store, 1)
    store.settle(Refused(refused, Reason.MARGIN, "1140", "not enough"))
    zero = sent(store, 2)
    move(store, State.OPENING_A)
    store.settle(filled(zero))
    part = sent(store, 3, size="0.1")
    store.settle(filled(part, ("0.03", "2500"), ("0.01", "2501")))
    move(store, State.OPENING_B)
    dead = sent(store, 4, venue=LIGHTER, side=Side.SELL, nonce=7)
    store.settle(Refused(dead, Reason.OTHER, "fence", "its nonce was burnt", dead=True))
    abandoned = sent(store, 5, venue=LIGHTER, side=Side.SELL, nonce=8)
    store.abandon(abandoned, "not sent: 3.5 s after its intent")
    whole = sent(store, 6, venue=LIGHTER, side=Side.SELL, nonce=9)
    store.settle(filled(whole, ("0.04", "2502")))
    move(store, State.OPEN)
    store.observe([a_position("0.04")], a_hedge(ID).id)
    store.book_payments([a_payment(0)])
    store.begin_epoch()  # another process has taken over
    move(store, State.CLOSING)
    unknown = sent(store, 7, purpose=Purpose.CLOSE, side=Side.SELL)
    store.settle(Unresolved(unknown, "no proof after 9 looks in 60 s"))
    sent(store, 8, venue=LIGHTER, purpose=Purpose.CLOSE, side=Side.BUY, nonce=10)
    store.alert("hedge is watched", a_hedge(ID).id, {"venue": "x10"})
    store.note_lane(
        LaneNote(
            lane=LaneId("lighter:1:2"), venue=LIGHTER, carries="all", state=LaneState.READY,
            reason="first reading", kind="lane_resync", text="sequence 7 of lighter:1:2",
        )
    )  # fmt: skip


def test_every_outcome_of_a_hard_life_is_in_it(store: Store) -> None:
    a_hard_life(store)
    found = bundled(store, trading={"leverage": "5"}, alerts={"url": "https://x.example"})

    assert (found["format"], found["version"], found["schema"]) == ("hedger-bundle", 1, "0006")
    states = [row["state"] for row in found["orders"]]
    assert states == [
        "refused", "zero", "partial", "dead", "abandoned", "filled", "unresolved", "prepared",
    ]  # fmt: skip
    assert set(states) == {str(state) for state in OrderState}
    assert [row["to"] for row in found["hedge"]["states"]] == [
        "planned", "opening_a", "opening_b", "open", "closing",
    ]  # fmt: skip
    assert found["orders"][0]["status"] == "1140"
    assert found["orders"][2]["filled_size"] == "0.04"
    assert [row["nonce"] for row in found["orders"]] == [None, None, None, 7, 8, 9, None, 10]
    fills = sorted((row["order"], row["size"]) for row in found["fills"])
    assert fills == [("order-3", "0.01"), ("order-3", "0.03"), ("order-6", "0.04")]
    assert [row["epoch"] for row in found["orders"]] == [1] * 6 + [2] * 2
    assert [row["ended"] for row in found["epochs"]] == [
        "over when the next one began", "not known",
    ]  # fmt: skip
    assert found["alerts"][0]["text"] == "hedge is watched"
    assert found["lanes"][0]["lane"] == "lane-1"
    assert any(row["text"] == "sequence 7 of lane-1" for row in found["events"])
    assert found["reads"][0]["size"] == "0.04"
    assert found["payments"][0]["amount_usd"] == "0.0125"
    assert found["markets"]["x10"]["rules"] == {"size_step": "0.001", "min_size": "0.01"}
    assert found["settings"] == {"trading": {"leverage": "5"}}
    assert all(set(row) >= {"nr", "at", "epoch"} for row in found["events"])


def test_amounts_are_texts_and_instants_are_utc(store: Store) -> None:
    a_hard_life(store)
    found = bundled(store)

    def look(value: Any, key: str = "") -> None:
        if isinstance(value, dict):
            for name, part in value.items():
                look(part, name)
        elif isinstance(value, list):
            for part in value:
                look(part, key)
        elif value is not None and key.endswith(("_usd", "size", "price")):
            assert isinstance(value, str), key
            assert Decimal(value).is_finite(), key
        elif isinstance(value, str) and (key == "at" or key.endswith("_at")):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", value), key
        assert not isinstance(value, float), key

    look(found)


CANARIES = {
    "account": "10002",
    "lane": "lighter:1:2",
    "client id": f"x10/{ID}-1",
    "hedge": ID,
    "order": f"{ID}-1",
    "trade": f"{ID}-3/1",
    "hash": f"hash-{ID}-4",
    "address": "0x52908400098527886E0F7030069857D2E4169EE7",
    "key": "8f0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c",
    "base64": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ",
    "url": "https://api.venue.example/v1/x?key=1",
    "host": "internal.trading.example",
    "ip": "10.20.30.40",
    "port": "127.0.0.1:8443",
    "ip6": "fe80::1ff:fe23:4567:890a",
    "path": "/home/alice/.local/state/hedger/ledger.db",
    "mail": "alice@fund.example",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "number": "281474976710655",
    "another": "btc-251231235959-zz99-0k2m9qd-3",
}
TOLD = (
    "account 424242 (vault: 565656, accountIndex=787878) says {all}, taken off by hand, says alice"
)
NEVER = (*CANARIES.values(), "ünïcode", "424242", "565656", "787878", "alice")


def test_nothing_in_it_names_an_account_a_key_an_address_or_a_host(
    store: Store, tmp_path: Path
) -> None:
    a_hard_life(store)
    text = TOLD.format(all=" and ".join(CANARIES.values()))
    hedge = a_hedge(ID).id
    store.alert(
        text, hedge, {"who": "alice", "text": text, "tx_hash": CANARIES["key"], "list": [text]}
    )
    store.event("told", text, hedge=hedge, data={text: text, "nonce": 281474976710655, "n": 10**12})
    store.event("beside", text)
    store.set_meta(f"taken:{hedge}:x10", text)
    options = {"x10": {"vault": 909090, "url": CANARIES["url"]}}
    order = an_order(ID, 9, venue=X10)
    store.settle(Unresolved(an_order(ID, 7), text))
    to = tmp_path / "b.json"
    found = bundled(
        store, trading={"leverage": "5", "note": text}, venues={"options": options}, log={"a": text}
    )
    bundle.written(found, to)

    told = to.read_text(encoding="utf-8")
    for canary in (*NEVER, "909090", order.account):
        assert canary not in told
    # what is no secret stays readable
    assert "order-1" in told
    assert "taken off by hand, says [person]" in told


def test_what_was_told_to_be_a_secret_is_masked_besides(store: Store) -> None:
    a_hard_life(store)
    secret = "correct horse battery staple nine"
    store.event("told", f"it said {secret}.", hedge=a_hedge(ID).id)
    masking.hide([secret])

    assert secret not in json.dumps(bundled(store))


def test_prose_keeps_what_is_not_ours() -> None:
    words = Placeholders({"risk", "account"})
    for text in (
        "filled 0.0950000000000 of 281 at 3124.50 on x10",
        "account.dedicated is false, see risk.max_usd and ledger.db",
        "HTTP 429 from /user/orders/external after 12.5 s at 2026-01-02T21:30:05.000000Z",
        "lighter 0.5, x10 3: 12 attempts in 61 s (code 21739)",
    ):
        assert words.prose(text) == text


def test_an_amount_that_looks_like_an_account_stays(store: Store) -> None:
    store.plan(a_hedge(ID))
    store.intend(replace(an_order(ID, 1, size="65"), account="65"), rules={})
    found = bundled(store)

    assert found["orders"][0]["size"] == "65"
    assert "account" not in found["orders"][0]


def test_the_same_rows_give_the_same_words(store: Store) -> None:
    a_hard_life(store)
    before = bundled(store)
    assert bundled(store) == before

    store.event("more", "later", hedge=a_hedge(ID).id)
    assert [row["id"] for row in bundled(store)["orders"]] == [
        row["id"] for row in before["orders"]
    ]


def test_a_file_is_never_overwritten_and_its_owners_alone(store: Store, tmp_path: Path) -> None:
    a_hard_life(store)
    found, to, link = bundled(store), tmp_path / "b.json", tmp_path / "link.json"
    umask = os.umask(0)
    try:
        bundle.written(found, to)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert json.loads(to.read_text(encoding="utf-8")) == found

    with pytest.raises(UsageError, match="is there already and is not overwritten; give --to"):
        bundle.written({}, to)
    link.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(UsageError, match="is not overwritten"):
        bundle.written({}, link)
    with pytest.raises(StateError, match="cannot be written"):
        bundle.written({}, tmp_path / "nowhere" / "b.json")
    assert json.loads(to.read_text(encoding="utf-8")) == found


def test_one_hedge_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    a_hard_life(store)
    store.plan(a_hedge("eth-260102213005-zzzz", symbol="SOL"))
    assert bundled(store, "eth-260102213005-k")["hedge"]["symbol"] == "ETH"

    with pytest.raises(UsageError, match=r"2 hedges begin with 'eth-'.*give one whole id"):
        bundled(store, "eth-")
    with pytest.raises(UsageError, match=r"no hedge has the id 'btc'.*hedger audit hedges"):
        bundled(store, "btc")


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_older_schema_is_read_as_it_is(store: Store, tmp_path: Path, revision: str) -> None:
    a_hard_life(store)
    store.close()
    earlier = tmp_path / f"{revision}.db"
    written_back(store.path, revision, earlier)
    as_it_was = earlier.read_bytes()

    found = bundle.gathered(earlier, ID, settings={}, environment="testnet", now=NOW)

    assert found["schema"] == revision
    assert [row["state"] for row in found["orders"]][:3] == ["refused", "zero", "partial"]
    assert earlier.read_bytes() == as_it_was
    if revision < "0004":
        assert "this ledger's schema has no account entries" in found["left_out"]


def test_a_ledger_that_is_none_and_a_newer_one_are_refused_in_a_sentence(
    store: Store, tmp_path: Path
) -> None:
    import sqlite3

    with pytest.raises(StateError, match="there is no ledger"):
        bundle.gathered(tmp_path / "no.db", ID, settings={}, environment="testnet", now=NOW)
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.close()
    with pytest.raises(StateError, match="newer version of hedger"):
        bundled(store)


def test_it_is_read_beside_a_process_that_writes_and_changes_nothing(store: Store) -> None:
    a_hard_life(store)
    epoch = store.epoch
    for number in range(3):
        store.event("more", f"number {number}", hedge=a_hedge(ID).id)
        found = bundled(store)
        assert any(row["text"] == f"number {number}" for row in found["events"])
    assert store.epoch == epoch
    store.event("still", "ours to write")


def test_no_column_that_holds_a_signature_is_ever_read() -> None:
    assert not {"payload", "payload_sha256"} & {name for row in COLUMNS.values() for name in row}


def test_readings_that_changed_nothing_are_counted_and_left_out(store: Store) -> None:
    store.plan(a_hedge(ID))
    store.observe([a_position("0.04", after_s=60 * number) for number in range(2, 52)])
    store.observe([a_position("0", after_s=60 * 52)])
    assert isinstance(store._clock, StepClock)
    store._clock.at += timedelta(hours=1)
    store.event("later", "an hour later", hedge=a_hedge(ID).id)
    found = bundled(store)

    assert [row["size"] for row in found["reads"]] == ["0.04", "0"]
    assert "49 readings of positions that changed nothing" in found["left_out"]
