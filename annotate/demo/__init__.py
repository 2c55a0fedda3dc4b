"""The demo project: pairs of every task type, drawn, filmed, sounded and written by code, and people to judge them.

Everything follows from SEED and stated rules, which docs/demo.md tells: what a reward model or a dashboard finds in
the demo can be compared with what is truly in it.
"""

SEED = 20260  # change it, and another demo comes out; the same one gives the same bytes
