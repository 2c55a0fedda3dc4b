"""The options of commands that make pairs of tables of answers."""

from argparse import ArgumentParser
from typing import Any

from annotate.imports.pairing import DESIGNS
from annotate.imports.spec import PairingSpec, names_in


def add_pairing(parser: ArgumentParser, default: str | None) -> None:
    """`default`: the design where none is given; None where the files may as well hold pairs."""
    parser.add_argument(
        "--design", choices=DESIGNS, default=default, help="the files hold answers: how they become pairs"
    )
    parser.add_argument("--per-prompt", type=int, metavar="N", help="pairs of one prompt")
    parser.add_argument("--anchors", default="", metavar="A,B", help="the models that all others meet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", default="", metavar="A,B", help="the columns of a wide table")


def pairing_of(options: dict[str, Any]) -> PairingSpec:
    return PairingSpec(
        options["design"],
        options["per_prompt"],
        names_in(options["anchors"]),
        options["seed"],
        names_in(options["models"]),
    )
