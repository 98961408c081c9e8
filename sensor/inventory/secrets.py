"""Names and values that must not be stored: what a parameter is called, and what its value shows it to be."""

import numpy as np

from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.core.sensitive import (
    API_KEY,
    CARD,
    CVV,
    HARMLESS,
    IBAN,
    OTP,
    PASSWORD,
    SECRET,
    SENSITIVE,
    SESSION,
    SIGNATURE,
    SSN,
    TOKEN,
)
from sensor.core.wide import padded
from sensor.inventory.lexical import INT, luhn_valid
from sensor.inventory.value_forms import class_by_value

NAMES = {
    PASSWORD: (
        "password", "passwd", "pwd", "pass", "passphrase", "passcode", "pin", "old_password", "new_password", "pw", "passwort",
        "kennwort", "mot_de_passe", "motdepasse", "mdp", "contrasena", "contraseña", "clave", "senha", "palavra-passe",
        "wachtwoord", "haslo", "hasło", "parola", "lozinka", "heslo", "sifre", "şifre", "losenord", "lösenord", "adgangskode",
    ),
    TOKEN: (
        "token", "access_token", "refresh_token", "id_token", "auth_token", "authtoken", "accesstoken", "bearer", "jwt", "auth",
        "oauth_token", "authorization", "code_verifier", "reset_token", "x-amz-security-token", "sas", "ticket",
    ),
    API_KEY: ("api_key", "apikey", "api-key", "x-api-key", "appkey", "app_key", "subscription-key", "access_key", "accesskey"),
    SESSION: ("session", "sessionid", "session_id", "sid", "jsessionid", "phpsessid", "sessid"),
    SECRET: ("secret", "client_secret", "clientsecret", "private_key", "privatekey", "credential", "credentials"),
    SIGNATURE: ("signature", "sig", "x-amz-signature", "x-goog-signature", "x-amz-credential", "hmac"),
    OTP: ("otp", "totp", "mfa_code", "one_time_code"),
    CARD: ("card", "cardnumber", "card_number", "card-number", "creditcard", "credit_card", "pan", "ccnum", "cc_number"),
    CVV: ("cvv", "cvc", "cvv2", "cvc2", "card_cvc", "security_code"),
    IBAN: ("iban",),
    SSN: ("ssn", "social_security_number"),
}  # fmt: skip

SLOTS = 512
NAME_HASH = np.zeros(SLOTS, np.uint64)
NAME_CLASS = np.zeros(SLOTS, np.uint8)
NAME_LIMIT = 64
"""Bytes of a parameter's name that count."""


@kernel
def name_hash(buffer, at, length):
    """Hash of a name regardless of case."""
    value = U(length)
    for k in range(min(length, NAME_LIMIT)):
        byte = U(buffer[at + k])
        if U(65) <= byte <= U(90):
            byte |= U(32)
        value = (value ^ byte) * U(0x100000001B3)
    return mix(value)


@kernel
def secret_by_name(hashed):
    """Class that a parameter's name promises."""
    slot = np.int64(hashed & U(SLOTS - 1))
    while NAME_CLASS[slot] != HARMLESS:
        if NAME_HASH[slot] == hashed:
            return np.int64(NAME_CLASS[slot])
        slot = (slot + 1) & (SLOTS - 1)
    return np.int64(HARMLESS)


@kernel
def secret_by_value(buffer, at, length, lexical):
    """Class that a value of a URL shows whatever it is called; any long number with Luhn's check digit may be a card's."""
    if lexical == INT and luhn_valid(buffer, at, length):
        return np.int64(CARD)
    return class_by_value(buffer, at, length, lexical)


def plain_name_hash(name: bytes) -> int:
    """name_hash in plain Python: the table below is made when the module is imported, before anything is compiled."""
    mask = (1 << 64) - 1
    value = len(name)
    for byte in name.lower()[:NAME_LIMIT]:
        value = ((value ^ byte) * 0x100000001B3) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return value ^ (value >> 31)


def name_hashes(*names: str) -> np.ndarray:
    """uint64[n]: hashes of a few names, for `is_among`."""
    return np.array([plain_name_hash(name.encode()) for name in names], np.uint64)


@kernel
def is_among(hashed, hashes):
    """Whether a hash is one of a few: name_hashes."""
    for k in range(hashes.shape[0]):
        if hashes[k] == hashed:
            return True
    return False


for _class, _names in NAMES.items():
    for _name in _names:
        _hash = plain_name_hash(_name.encode())
        _slot = _hash & (SLOTS - 1)
        while NAME_CLASS[_slot]:
            _slot = (_slot + 1) & (SLOTS - 1)
        NAME_HASH[_slot], NAME_CLASS[_slot] = _hash, _class

PLACEHOLDERS = padded(b"".join(f"{{{name}}}".encode().ljust(16, b"\0") for name in SENSITIVE))
"""`{class}` of each class in sensitive.SENSITIVE, 16 bytes apart."""
PLACEHOLDER_LENGTHS = np.array([len(name) + 2 for name in SENSITIVE])
