"""blemish sign: vouch for a model, so that others can refuse any that nobody they trust has signed."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.console import say

__all__ = ["sign"]


def sign(
    model: Annotated[Path | None, typer.Argument(help="A model made by blemish fit; it is signed in place.")] = None,
    key: Annotated[Path | None, typer.Option(help="Your private key, Ed25519, as --new-key makes it.")] = None,
    by: Annotated[str | None, typer.Option(help="Who vouches for it; your user name by default.")] = None,
    new_key: Annotated[
        Path | None, typer.Option(help="Make a private key here, and the public one beside it, named .pub.")
    ] = None,
) -> None:
    """Sign a model with an Ed25519 key, or make such a key. Needs pip install 'blemish[sign]'.

    Who has the public key can ask for models that you signed: --trusted KEY.pub. A change of the model ends the
    signature: sign it again.
    """
    from dataclasses import replace

    from blemish.errors import OptionError
    from blemish.model.file import read_model, write_model
    from blemish.model.holding import model_to_change
    from blemish.model.signature import new_key as make_key
    from blemish.model.signature import signed_by

    if new_key:
        public = make_key(new_key)
        say(f"{new_key}: your private key; keep it to yourself. {public}: give it to those who trust you.")
        key = key or new_key
    if model is None:
        if not new_key:
            raise OptionError("Nothing to sign: name a MODEL with --key, or make a key with --new-key.")
        return
    if key is None:
        raise OptionError("No key to sign with: name yours with --key, or make one with --new-key.")
    with model_to_change(model) as path:
        found = read_model(path)
        signature = signed_by(key, by or getpass.getuser(), found.digest)
        write_model(path, replace(found, signature=signature))
    say(f"{model}: signed by {signature.by}, key {signature.fingerprint}..., model {found.version}.")
