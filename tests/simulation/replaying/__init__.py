"""An incident as a world: what a bundle of ``hedger audit bundle`` tells, played again."""
