"""Which pairs are asked next, in which order and with what probability: pure numpy, no model, no table.

`policies` says what a label would teach, `draws` draws an epoch by it, with the exact probability of each draw. What these
are good for stands in `annotate/stats/lure.py`.
"""

from workers.sampling.draws import Chosen, epoch, fair_quotas

__all__ = ["Chosen", "epoch", "fair_quotas"]
