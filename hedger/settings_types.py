"""The values that a section of the configuration is made of."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _exact(value: object) -> object:
    """YAML reads 0.1 as a float; its shortest text is what the user wrote."""
    if isinstance(value, bool):
        msg = "must be a number"
        raise ValueError(msg)  # noqa: TRY004  pydantic turns only this into its own error
    return repr(value) if isinstance(value, float) else value


Amount = Annotated[Decimal, BeforeValidator(_exact), Field(allow_inf_nan=False)]
Positive = Annotated[Amount, Field(gt=0)]
NotNegative = Annotated[Amount, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Bps = Annotated[Amount, Field(ge=0, le=10_000)]


class Section(BaseModel):
    """Frozen, and unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
