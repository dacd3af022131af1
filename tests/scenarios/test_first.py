from hedger.domain.hedge import State
from tests.desk import Desk


async def test_a_hedge_opens_and_closes(desk: Desk) -> None:
    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    assert desk.naked() == 0
    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
