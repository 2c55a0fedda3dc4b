"""Campaigns replayed from answers that are known: what a policy would have learned from how many labels.

`world` holds the answers, `memory` plays a campaign without a database, `through_queue` the same by the actions that people's
work takes, `curves` tells what came of several.
"""
