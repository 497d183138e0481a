"""Signatures of SavedModels with a key of one's own, by OpenSSF's `model-signing` (the extra `sign`); nothing is fetched.

The signature covers every file, the manifest too, and lies beside it: `assets.extra/signature.json`. A manifest alone proves
that a model is whole; the signature proves whose it is.
"""

import tempfile
from pathlib import Path

from zoo import files
from zoo.models import checks
from zoo.saving import manifest, store


def sign(name_or_path, key):
    """Signs a SavedModel.

    Args:
        name_or_path: As in `load`.
        key: A PEM file with a private key of an elliptic curve (P-256, P-384 or P-521), without a password:
            `openssl ecparam -name prime256v1 -genkey -noout -out private.pem`, and for those who verify
            `openssl ec -in private.pem -pubout -out public.pem`.

    Returns:
        The path of the signature.

    Raises:
        DamagedModelError: The model is not what was exported.
        InputError: The key cannot be used, or the extra is not installed.
    """
    path = store.find(name_or_path)
    manifest.check(path)
    library = _library()
    _check_key(key)
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        signature = Path(folder) / "signature.json"
        try:
            config = library.signing.Config().use_elliptic_key_signer(private_key=key)
            config.set_hashing_config(_hashing(library)).sign(path, signature)
        except (ValueError, TypeError) as error:
            raise checks.InputError(
                f"{key} cannot sign: {error}. It must be a PEM file with a private key of an elliptic curve, without a password."
            ) from error
        files.write_atomic(path / manifest.SIGNATURE, signature.read_bytes())
    return path / manifest.SIGNATURE


def check(folder, shown, key):
    """Checks that a key's owner signed a folder as it is; `shown` is the folder that messages name.

    Raises:
        DamagedModelError: There is no signature, it is another key's, or a file has changed since.
        InputError: The key cannot be used, or the extra is not installed.
    """
    library = _library()
    _check_key(key)
    signature = Path(folder) / manifest.SIGNATURE
    if not signature.exists():
        raise manifest.DamagedModelError(f"{shown} is not signed: it has no {manifest.SIGNATURE}.")
    try:
        config = library.verifying.Config().use_elliptic_key_verifier(public_key=key)
    except (ValueError, TypeError) as error:
        raise checks.InputError(f"{key} holds no public key in PEM: {error}.") from error
    try:
        config.set_hashing_config(_hashing(library)).verify(folder, signature)
    except Exception as error:  # noqa: BLE001 - whatever a damaged signature makes a parser raise
        raise manifest.DamagedModelError(
            f"{shown} is not what the owner of {key} signed: {error or type(error).__name__}"
        ) from error


def _library():
    try:
        import model_signing.signing
        import model_signing.verifying
    except ImportError as error:
        raise checks.InputError(
            f"Signatures need the extra `sign`: pip install 'keras-zoo[sign]' ({error})."
        ) from error
    return model_signing


def _hashing(library):
    config = library.hashing.Config().use_file_serialization()
    return config.set_ignored_paths(paths=[manifest.SIGNATURE], ignore_git_paths=False)


def _check_key(key):
    if not Path(key).is_file():
        raise checks.InputError(f"There is no key {key}.")
