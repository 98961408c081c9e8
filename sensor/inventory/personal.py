"""Sensitive data in bodies: what a field is called and what its value looks like must agree: an order number is no card.

Three kinds of evidence: forms that nothing else has (JWT, keys with a prefix, e-mail addresses); numbers with check digits,
which one of some dozens of other numbers passes by chance, so that a field counts only if most of its values pass
(`is_by_chance`, sensor.inventory.parameters); and names of fields whose values could be that (a date of birth, a password).
"""

import numpy as np

from sensor.core.hashing import U, mix
from sensor.core.jit import kernel
from sensor.core.wide import load_le32, load_le64, padded, word
from sensor.inventory.lexical import DATE, DIGIT, EMAIL, INT, JWT, KIND, LOWER, NUMBER, PHONE, UPPER
from sensor.inventory.secrets import (
    API_KEY,
    CARD,
    CVV,
    EMAIL_SECRET,
    HARMLESS,
    IBAN,
    JWT_SECRET,
    NAME_LIMIT,
    NAMES,
    OTP,
    PASSWORD,
    SECRET,
    SECRET_CLASSES,
    SESSION,
    SIGNATURE,
    SSN,
    TOKEN,
)

EXPOSED_CLASSES = (
    *SECRET_CLASSES,
    "phone", "birth_date", "national_id", "health", "location", "cloud_key", "payment_key", "private_key",
)  # fmt: skip
(TELEPHONE, BIRTH_DATE, NATIONAL_ID, HEALTH, PLACE, CLOUD_KEY, PAYMENT_KEY, PRIVATE_KEY) = range(
    len(SECRET_CLASSES), len(EXPOSED_CLASSES)
)

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
BY_CHANCE = np.zeros(len(EXPOSED_CLASSES), np.uint8)
BY_CHANCE[[CARD, NATIONAL_ID, IBAN, SSN]] = 1
"""Classes that other numbers fall into by chance: one of forty of sixteen digits for cards, one of 23 for Spain's."""
SLOTS = 1_024
BODY_NAME_HASH = np.zeros(SLOTS, np.uint64)
BODY_NAME_CLASS = np.zeros(SLOTS, np.uint8)

PREFIXES = {
    CLOUD_KEY: (b"AKIA", b"ASIA", b"AIza", b"ya29."),
    PAYMENT_KEY: (b"sk_live_", b"rk_live_", b"sk_test_"),
    TOKEN: (b"ghp_", b"gho_", b"ghs_", b"xoxb-", b"xoxp-", b"xoxa-", b"glpat-", b"npm_"),
}
"""How keys of well-known issuers begin; at least KEY_LENGTH bytes in all."""
KEY_LENGTH = 20
_PREFIXES = [(code, prefix) for code, prefixes in PREFIXES.items() for prefix in prefixes]
PREFIX_WORD = np.array([word(prefix) for _, prefix in _PREFIXES], np.uint64)
PREFIX_MASK = np.array([word(b"\xff" * len(prefix)) for _, prefix in _PREFIXES], np.uint64)
PREFIX_CLASS = np.array([code for code, _ in _PREFIXES], np.uint8)
BEGIN_KEY = word(b"-----BEG")
PRIVATE = padded(b"PRIVATE KEY")
SPACE, DASH, DOT, STAR, PLUS, BRACKET = 32, 45, 46, 42, 43, 91
DNI_LETTERS = np.frombuffer(b"TRWAGMYFPDXBNJZSQVHLCKE", np.uint8)
CN_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
CN_DIGITS = np.frombuffer(b"10X98765432", np.uint8)
CARD_DIGITS, MOST_DIGITS = 14, 19
"""Digits of a card's number."""
IBAN_SHORTEST, IBAN_LONGEST = 15, 34
"""ISO 13616-1: from Norway's to the longest allowed."""


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
def bare_digits(text, at, length, digits):
    """The digits of a number that may be set in groups by spaces or dashes: how many, -1 for anything else."""
    count = 0
    for k in range(length):
        byte = text[at + k]
        if KIND[byte] & DIGIT:
            if count == MOST_DIGITS:
                return -1
            digits[count] = byte - 48
            count += 1
        elif (byte != SPACE and byte != DASH) or count == 0:
            return -1
    return count


@kernel
def leading(digits, count):
    """The first `count` digits as a number."""
    value = 0
    for k in range(count):
        value = value * 10 + digits[k]
    return value


@kernel
def is_issued(digits, count):
    """Whether some card network issues numbers that begin so, of this length (ISO/IEC 7812-1)."""
    two, four = leading(digits, 2), leading(digits, 4)
    if count == 15:
        return two == 34 or two == 37
    if count == 14:
        return two == 36 or two == 38 or 3000 <= four <= 3059
    if count < 16:
        return False
    if digits[0] == 4:
        return count == 16 or count == 19
    if two == 62 or 3528 <= four <= 3589 or four == 6011 or two == 65 or 6440 <= four <= 6499:
        return True
    return count == 16 and (51 <= two <= 55 or 2221 <= four <= 2720)


@kernel
def is_card(text, at, length, digits):
    """Whether this is a card's number: issued, with a right check digit (Luhn)."""
    if length < CARD_DIGITS or length > MOST_DIGITS + 4:
        return False
    count = bare_digits(text, at, length, digits)
    if count < CARD_DIGITS or not is_issued(digits, count):
        return False
    total = 0
    for k in range(count):
        digit = digits[count - 1 - k]
        if k % 2 == 1:
            digit = 2 * digit - 9 * (digit > 4)
        total += digit
    return total % 10 == 0


@kernel
def is_iban(text, at, length):
    """Whether this is an IBAN: country, check digits, and the remainder 1 modulo 97 (ISO 13616-1), in groups or not."""
    if length < IBAN_SHORTEST or length > IBAN_LONGEST + 8:
        return False
    if not (
        KIND[text[at]] & UPPER and KIND[text[at + 1]] & UPPER and KIND[text[at + 2]] & DIGIT and KIND[text[at + 3]] & DIGIT
    ):
        return False
    remainder, count = 0, 0
    for turn in range(2):
        first, last = (4, length) if turn == 0 else (0, 4)
        for k in range(first, last):
            byte = text[at + k]
            if byte == SPACE:
                continue
            count += 1
            if KIND[byte] & DIGIT:
                remainder = (remainder * 10 + byte - 48) % 97
            elif KIND[byte] & UPPER:
                remainder = (remainder * 100 + byte - 55) % 97
            else:
                return False
    return remainder == 1 and IBAN_SHORTEST <= count <= IBAN_LONGEST


@kernel
def is_ssn(text, at, length):
    """ddd-dd-dddd as the Social Security Administration gives them out: no group of zeros, no area 666 or from 900 on."""
    if length != 11 or text[at + 3] != DASH or text[at + 6] != DASH:
        return False
    for k in range(11):
        if k != 3 and k != 6 and not KIND[text[at + k]] & DIGIT:
            return False
    area = (text[at] - 48) * 100 + (text[at + 1] - 48) * 10 + text[at + 2] - 48
    group = (text[at + 4] - 48) * 10 + text[at + 5] - 48
    serial = text[at + 7] + text[at + 8] + text[at + 9] + text[at + 10] - 4 * 48
    return area != 0 and area != 666 and area < 900 and group != 0 and serial != 0


@kernel
def is_cpf(text, at, length, digits):
    """ddd.ddd.ddd-dd with Brazil's two check digits."""
    if length != 14 or text[at + 3] != DOT or text[at + 7] != DOT or text[at + 11] != DASH:
        return False
    count = 0
    for k in range(14):
        if k == 3 or k == 7 or k == 11:
            continue
        if not KIND[text[at + k]] & DIGIT:
            return False
        digits[count] = text[at + k] - 48
        count += 1
    for check in range(9, 11):
        total = 0
        for k in range(check):
            total += digits[k] * (check + 1 - k)
        if total * 10 % 11 % 10 != digits[check]:
            return False
    return True


@kernel
def is_dni(text, at, length):
    """Eight digits and the letter that Spain's identity cards have for them."""
    if length != 9:
        return False
    number = 0
    for k in range(8):
        if not KIND[text[at + k]] & DIGIT:
            return False
        number = number * 10 + text[at + k] - 48
    return text[at + 8] == DNI_LETTERS[number % 23]


@kernel
def is_resident_id(text, at, length):
    """China's 18 characters: a date of birth inside, a check character behind (GB 11643-1999)."""
    if length != 18:
        return False
    total = 0
    for k in range(17):
        if not KIND[text[at + k]] & DIGIT:
            return False
        total += (text[at + k] - 48) * CN_WEIGHTS[k]
    century = (text[at + 6] - 48) * 10 + text[at + 7] - 48
    month = (text[at + 10] - 48) * 10 + text[at + 11] - 48
    day = (text[at + 12] - 48) * 10 + text[at + 13] - 48
    dated = (century == 19 or century == 20) and 1 <= month <= 12 and 1 <= day <= 31
    return dated and text[at + 17] == CN_DIGITS[total % 11]


@kernel
def class_by_prefix(text, at, length):
    """Keys that say whose they are."""
    if length < KEY_LENGTH:
        return np.int64(HARMLESS)
    begin = load_le64(text, at)
    if begin == BEGIN_KEY:
        for k in range(8, min(length - 11, 40)):  # -----BEGIN EC PRIVATE KEY-----
            if load_le32(text, at + k) == load_le32(PRIVATE, 0) and load_le32(text, at + k + 7) == load_le32(PRIVATE, 7):
                return np.int64(PRIVATE_KEY)
        return np.int64(HARMLESS)
    for k in range(PREFIX_WORD.shape[0]):
        if begin & PREFIX_MASK[k] == PREFIX_WORD[k]:
            return np.int64(PREFIX_CLASS[k])
    return np.int64(HARMLESS)


@kernel
def class_by_value(text, at, length, lexical, digits):
    """What a value shows whatever its field is called. lexical: its class in lexical.CLASSES; digits: int64[MOST_DIGITS]."""
    if lexical == JWT:
        return np.int64(JWT_SECRET)
    if lexical == EMAIL:
        return np.int64(EMAIL_SECRET)
    if lexical == PHONE:
        return np.int64(TELEPHONE)
    if length < 9 or lexical == NUMBER:
        return np.int64(HARMLESS)
    if is_card(text, at, length, digits):
        return np.int64(CARD)
    if is_ssn(text, at, length):
        return np.int64(SSN)
    if is_cpf(text, at, length, digits) or is_dni(text, at, length) or is_resident_id(text, at, length):
        return np.int64(NATIONAL_ID)
    if is_iban(text, at, length):
        return np.int64(IBAN)
    return class_by_prefix(text, at, length)


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
def exposed_class(text, at, length, lexical, quoted, hashed, digits):
    """Class in EXPOSED_CLASSES of a field's value. hashed: body_name_hash of its name; digits: int64[MOST_DIGITS]."""
    if length == 0:
        return np.int64(HARMLESS)
    found = class_by_value(text, at, length, lexical, digits)
    if found != HARMLESS:
        return found
    named = class_by_name(hashed)
    if named != HARMLESS and could_be(named, text, at, length, lexical, quoted):
        return named
    return np.int64(HARMLESS)
