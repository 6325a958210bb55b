"""Prove a password without sending it: SCRAM-SHA-256 and MD5, as PostgreSQL asks for them.

Sources: RFC 5802, RFC 7677, "SASL Authentication" in PostgreSQL's documentation of its protocol.
"""

from __future__ import annotations

MECHANISM = "SCRAM-SHA-256"
_MOST_ROUNDS = 1000000  # half a second; servers ask for 4096


class ScramError(Exception):
    """The server's side of the exchange is not as it should be."""


class Scram:
    """One exchange: `first()`, then `proof(challenge)`, then `confirm(final)`."""

    def __init__(self, password: str, nonce: str = "", user: str = "") -> None:
        import base64
        import os
        import unicodedata

        # SASLprep of passwords, as far as they hold no characters that it forbids
        self._password = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogateescape")
        self._nonce = nonce or base64.b64encode(os.urandom(18)).decode("ascii")
        self._bare = "n=%s,r=%s" % (user, self._nonce)  # PostgreSQL knows the user already
        self._signature = b""

    def first(self) -> bytes:
        """Return the client's first message."""
        return ("n,," + self._bare).encode("ascii")

    def proof(self, challenge: bytes) -> bytes:
        """Return the answer to the server's first message."""
        import base64
        import hashlib
        import hmac

        text = challenge.decode("ascii", "replace")
        fields = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
        try:
            nonce, salt, rounds = fields["r"], base64.b64decode(fields["s"], validate=True), int(fields["i"])
        except (KeyError, ValueError):
            raise ScramError("its challenge cannot be read") from None
        if not nonce.startswith(self._nonce) or not 0 < rounds <= _MOST_ROUNDS:
            raise ScramError("its challenge does not belong to this exchange")

        def sign(key: bytes, message: bytes) -> bytes:
            return hmac.new(key, message, hashlib.sha256).digest()

        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, rounds)
        key = sign(salted, b"Client Key")
        final = "c=biws,r=" + nonce
        message = ("%s,%s,%s" % (self._bare, text, final)).encode("ascii", "replace")
        mask = sign(hashlib.sha256(key).digest(), message)
        self._signature = sign(sign(salted, b"Server Key"), message)
        proof = bytes(a ^ b for a, b in zip(key, mask))
        return (final + ",p=" + base64.b64encode(proof).decode("ascii")).encode("ascii")

    def confirm(self, final: bytes) -> None:
        """Check that the server knows the password, too. Raises ScramError."""
        import base64
        import hmac

        given = final.decode("ascii", "replace").partition("v=")[2].split(",")[0]
        if not self._signature or not hmac.compare_digest(base64.b64encode(self._signature).decode("ascii"), given):
            raise ScramError("it does not know the password itself, so it is not the server it claims to be")


def md5_answer(user: str, password: str, salt: bytes) -> bytes:
    """Return the answer to a request for an MD5 password."""
    import hashlib

    inner = hashlib.md5((password + user).encode("utf-8", "surrogateescape")).hexdigest()  # noqa: S324 - the server asks for it
    return b"md5" + hashlib.md5(inner.encode("ascii") + salt).hexdigest().encode("ascii")  # noqa: S324
