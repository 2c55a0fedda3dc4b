"""Hidden states in few numbers: what the value head reads of them, and the directions in which they differ most."""

import hashlib
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]

MOST = 256
# States that it is fitted on.
SAMPLE = 4096


@dataclass(frozen=True)
class Reduction:
    """
    Attributes:
        mean: of the states, (width,).
        directions: (width, k) and orthonormal. The first is the value head's own, the others are principal directions
            of what it does not read (PCA, by the covariance's eigenvectors).
    """

    mean: Matrix
    directions: Matrix

    @classmethod
    def of(cls, states: Matrix, weight: Matrix) -> Self:
        """Of a sample of states, (n, width), and the value head's weight, (width,)."""
        mean = states.mean(axis=0, dtype=np.float64)
        first = weight.astype(np.float64) / np.linalg.norm(weight)
        rest = states.astype(np.float64) - mean
        rest -= np.outer(rest @ first, first)
        _, vectors = np.linalg.eigh(rest.T @ rest / len(rest))
        # `first` itself is among them, with the smallest eigenvalue.
        kept = vectors[:, ::-1][:, : min(MOST, len(first)) - 1]
        return cls(mean.astype(np.float32), np.column_stack([first, kept]).astype(np.float32))

    @property
    def version(self) -> str:
        """Of other weights states have other directions: it names the model, too."""
        digest = hashlib.sha256(self.mean.tobytes() + self.directions.tobytes()).hexdigest()
        return f"phi-{digest[:24]}"

    def apply(self, states: Matrix) -> Matrix:
        """Shape (n, k)."""
        return ((states - self.mean) @ self.directions).astype(np.float32)
