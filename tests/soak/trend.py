"""Whether a series of samples grows: the slope of a straight line through them, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

# Of the normal distribution: 95 of 100 such intervals hold the true slope.
_QUANTILE = 1.96


@dataclass(frozen=True)
class Trend:
    """Least squares: the slope per unit of x, and half the width of its 95 % confidence interval."""

    slope: float
    margin: float

    @property
    def low(self) -> float:
        return self.slope - self.margin

    @property
    def high(self) -> float:
        return self.slope + self.margin

    @property
    def grows(self) -> bool:
        """Whether growth is surer than 95 %: the whole interval is above zero."""
        return self.low > 0


def trend(x: Sequence[float], y: Sequence[float]) -> Trend:
    """Fit a line. Neighbouring samples of a process's memory are alike, so the margin is Newey and West's.

    (A simple, positive semi-definite, heteroskedasticity and autocorrelation consistent covariance matrix,
    Econometrica 55, 1987.) Raises ValueError for fewer than eight samples: that is no series.
    """
    n = len(x)
    if n < 8:
        raise ValueError(f"{n} samples are too few for a trend")
    middle_x, middle_y = sum(x) / n, sum(y) / n
    around = [one - middle_x for one in x]
    spread = sum(one * one for one in around)
    slope = sum(dx * (one - middle_y) for dx, one in zip(around, y, strict=True)) / spread
    scores = [dx * (one - middle_y - slope * dx) for dx, one in zip(around, y, strict=True)]
    lags = round(sqrt(n))
    total = sum(score * score for score in scores)
    for lag in range(1, lags + 1):
        weight = 1 - lag / (lags + 1)
        total += 2 * weight * sum(a * b for a, b in zip(scores[lag:], scores, strict=False))
    return Trend(slope, _QUANTILE * sqrt(max(total, 0.0) * n / (n - 2)) / spread)
