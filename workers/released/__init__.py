"""Reward models and judges from a release of ours, whose project may be anywhere: read, mixed, trained, written to a folder.

rows.py      the release's training and validation rows      mix.py     which of them, and how often
presets.py   published hyperparameters                       reward_model.py   training and testing
curves.py    what training did, as CSV and PNG               card.py    the folder's README.md
"""
