"""Sensitive data in bodies: what a field is called and what its value looks like must agree: an order number is no card.

Three kinds of evidence: forms that nothing else has (JWT, keys with a prefix, e-mail addresses); numbers with check digits,
which one of some dozens of other numbers passes by chance, so that a field counts only if most of its values pass
(`is_by_chance`, sensor.inventory.parameters); and names of fields whose values could be that (a date of birth, a password).
"""

import numpy as np

from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.core.sensitive import (
    API_KEY,
    BIRTH_DATE,
    CARD,
    CVV,
    EMAIL_SECRET,
    HARMLESS,
    HEALTH,
    IBAN,
    NATIONAL_ID,
    OTP,
    PASSWORD,
    PLACE,
    SECRET,
    SESSION,
    SIGNATURE,
    SSN,
    TELEPHONE,
    TOKEN,
)
from sensor.inventory.lexical import DATE, DIGIT, INT, KIND, LOWER, UPPER
from sensor.inventory.secrets import NAME_LIMIT, NAMES
from sensor.inventory.value_forms import class_by_value

PERSONAL_NAMES = {
    TELEPHONE: ("phone", "phonenumber", "mobile", "mobilenumber", "telephone", "tel", "cellphone", "msisdn", "fax"),
    BIRTH_DATE: ("birthdate", "dateofbirth", "dob", "birthday", "birth"),
    NATIONAL_ID: (
        "nationalid", "nationalidnumber", "passport", "passportnumber", "taxid", "cpf", "dni", "nif", "nino", "personnummer",
        "pesel", "bsn", "aadhaar", "driverslicense", "driverlicense", "idcardnumber", "codicefiscale", "nir",
    ),
    HEALTH: (
        "diagnosis", "diagnoses", "bloodtype", "bloodgroup", "allergies", "allergy", "medication", "medications", "icd10",
        "medicalrecord", "medicalhistory", "healthinsurancenumber", "patientid", "disability", "prescription",
    ),
    PLACE: ("latitude", "longitude", "lat", "lng", "lon", "geolocation", "gps"),
    EMAIL_SECRET: ("email", "emailaddress", "mail"),
    SSN: ("ssn", "socialsecuritynumber", "socialsecurity"),
}  # fmt: skip
SLOTS = 1_024
BODY_NAME_HASH = np.zeros(SLOTS, np.uint64)
BODY_NAME_CLASS = np.zeros(SLOTS, np.uint8)

STAR, BRACKET = 42, 91


@kernel
def body_name_hash(text, at, length):
    """Hash of a field's name without case, `_` and `-`: `cardNumber`, `card_number` and `Card-Number` are one."""
    value = U(0)
    for k in range(min(length, NAME_LIMIT)):
        byte = U(text[at + k])
        if byte == U(95) or byte == U(45):
            continue
        if U(65) <= byte <= U(90):
            byte |= U(32)
        value = (value ^ byte) * U(0x100000001B3)
    return mix(value)


def plain_body_name_hash(name: bytes) -> int:
    """body_name_hash in plain Python, for the table below."""
    mask = (1 << 64) - 1
    value = 0
    for byte in name.lower().replace(b"_", b"").replace(b"-", b"")[:NAME_LIMIT]:
        value = ((value ^ byte) * 0x100000001B3) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return value ^ (value >> 31)


for _class, _names in [*NAMES.items(), *PERSONAL_NAMES.items()]:
    for _name in _names:
        _hash = plain_body_name_hash(_name.encode())
        _slot = _hash & (SLOTS - 1)
        while BODY_NAME_CLASS[_slot] and BODY_NAME_HASH[_slot] != _hash:
            _slot = (_slot + 1) & (SLOTS - 1)
        BODY_NAME_HASH[_slot], BODY_NAME_CLASS[_slot] = _hash, _class


@kernel
def class_by_name(hashed):
    """What a field's name promises."""
    slot = np.int64(hashed & U(SLOTS - 1))
    while BODY_NAME_CLASS[slot] != HARMLESS:
        if BODY_NAME_HASH[slot] == hashed:
            return np.int64(BODY_NAME_CLASS[slot])
        slot = (slot + 1) & (SLOTS - 1)
    return np.int64(HARMLESS)


@kernel
def counts_of(text, at, length):
    """(digits, letters, whether it is masked as `****1111` or `[redacted]`) of a value."""
    digits, letters, masked = 0, 0, text[at] == BRACKET
    for k in range(min(length, 64)):
        kind = KIND[text[at + k]]
        digits += kind & DIGIT
        letters += (kind & (LOWER | UPPER)) != 0
        masked |= text[at + k] == STAR
    return digits, letters, masked


@kernel
def could_be(kind, text, at, length, lexical, quoted):
    """Whether a value could be what its field's name promises."""
    digits, letters, masked = counts_of(text, at, length)
    bare = not quoted and lexical != INT
    if masked or (bare and kind != PLACE):
        return False
    if kind == PASSWORD or kind == SECRET:
        return length >= 4
    if kind == TOKEN or kind == API_KEY or kind == SESSION or kind == SIGNATURE:
        return length >= 12 and digits > 0
    if kind == OTP:
        return 4 <= length <= 8 and digits == length
    if kind == CVV:
        return 3 <= length <= 4 and digits == length
    if kind == CARD or kind == IBAN or kind == EMAIL_SECRET:
        return False  # their values show it themselves
    if kind == SSN:
        return digits == 9 and letters == 0
    if kind == TELEPHONE:
        return 7 <= digits <= 15 and letters == 0
    if kind == BIRTH_DATE:
        return lexical == DATE or (digits >= 6 and digits <= 8 and length <= 10)
    if kind == NATIONAL_ID:
        return 6 <= length <= 24 and digits >= 5
    if kind == PLACE:
        return digits >= 4 and letters == 0 and length > digits
    return letters > 2


@kernel
def exposed_class(text, at, length, lexical, quoted, hashed):
    """Class in sensitive.SENSITIVE of a field's value. hashed: body_name_hash of its name."""
    if length == 0:
        return np.int64(HARMLESS)
    found = class_by_value(text, at, length, lexical)
    if found != HARMLESS:
        return found
    named = class_by_name(hashed)
    if named != HARMLESS and could_be(named, text, at, length, lexical, quoted):
        return named
    return np.int64(HARMLESS)
