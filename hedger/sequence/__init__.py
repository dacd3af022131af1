"""
Sequence lanes: which nonce an order may carry (the systems of seeds 000 to 003 in one).

``Lanes`` is what the program uses. ``Lane`` is one sequence, whatever its family (``Dense``,
``Increasing``); ``Carrier`` sends through one with several values in flight.
"""

from hedger.sequence.carrier import Carrier, NotLandedError
from hedger.sequence.lane import Lane
from hedger.sequence.lanes import LaneBusyError, Lanes
from hedger.sequence.values import Dense, Increasing

__all__ = ["Carrier", "Dense", "Increasing", "Lane", "LaneBusyError", "Lanes", "NotLandedError"]
