"""The large reward models: a language model that sees and hears, under one linear value head.

    settings.py    what a specification may say            template.py   the words that a response is judged in
    media.py       pictures, frames and sound as arrays    encode.py     an item as token ids and embedded media
    backbone.py    the language model, loaded strictly     lora.py, value_head.py   what is trained, and its files
    scoring.py     hidden states, criteria fanned out      calibration.py    scale, ties, uncertainty
    training.py    the loop                                looks.py, sharding.py   what it watches, and how it is shared out
    model.py       the Protocol's answer

`transformers` is imported where a backbone is loaded and nowhere else: it is slow.
"""
