"""How far a list is read: over pages, runs and restarts, and never past what may still change."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hedger.accounts import Mark
from hedger.domain.account import HistoryPage

START = datetime(2026, 1, 2, 21, tzinfo=UTC)
OVERLAP = timedelta(minutes=10)


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


def page(
    oldest: float | None, newest: float | None, cursor: str | None, open_since: float | None = None
) -> HistoryPage:
    return HistoryPage(
        entries=(),
        oldest=None if oldest is None else hour(oldest),
        newest=None if newest is None else hour(newest),
        cursor=cursor,
        open_since=None if open_since is None else hour(open_since),
    )


def test_a_walk_goes_on_until_a_page_reaches_what_is_known() -> None:
    mark = Mark(since=hour(0))
    mark = mark.after(page(7, 9, "a"), OVERLAP)
    assert (mark.cursor, mark.since) == ("a", hour(0))
    mark = mark.after(page(-1, 6, "b"), OVERLAP)
    assert mark == Mark(since=hour(9) - OVERLAP)


def test_the_last_page_ends_a_walk_wherever_it_is() -> None:
    assert Mark(since=hour(0)).after(page(3, 4, None), OVERLAP).cursor is None


def test_an_empty_list_leaves_everything_as_it_was() -> None:
    assert Mark(since=hour(0)).after(page(None, None, None), OVERLAP) == Mark(since=hour(0))


def test_a_row_that_may_still_change_is_read_again_until_it_is_final() -> None:
    mark = Mark(since=hour(0)).after(page(1, 8, None, open_since=3), OVERLAP)
    assert mark.since == hour(3)
    assert mark.after(page(3, 9, None), OVERLAP).since == hour(9) - OVERLAP


def test_a_mark_never_goes_back() -> None:
    mark = Mark(since=hour(5))
    assert mark.after(page(1, 2, None, open_since=1), OVERLAP).since == hour(5)


instants = st.one_of(st.none(), st.integers(0, 10_000).map(lambda n: START + timedelta(minutes=n)))


@given(newest=instants, hold=instants, cursor=st.one_of(st.none(), st.text(max_size=9)))
def test_a_mark_is_the_same_after_a_restart(
    newest: datetime | None, hold: datetime | None, cursor: str | None
) -> None:
    mark = Mark(since=START, cursor=cursor, newest=newest, hold=hold)
    assert Mark.of(mark.text()) == mark
