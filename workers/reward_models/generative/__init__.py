"""Judges that answer in words, run and trained here: the language model itself, not an endpoint.

settings.py   what a specification may say      talker.py     prompts, replies and their probabilities
grpo.py       the loss                          reward.py     what a reply is worth
training.py   the loop                          local.py      the Judge's answer
"""
