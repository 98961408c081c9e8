"""What a value shows by itself: forms that nothing else has, and numbers with check digits."""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.sensitive import (
    CARD,
    CLOUD_KEY,
    EMAIL_SECRET,
    HARMLESS,
    IBAN,
    JWT_SECRET,
    NATIONAL_ID,
    PAYMENT_KEY,
    PRIVATE_KEY,
    SSN,
    TELEPHONE,
    TOKEN,
)
from sensor.core.wide import load_le32, load_le64, word
from sensor.inventory.lexical import DIGIT, EMAIL, JWT, KIND, NUMBER, PHONE, UPPER

PREFIXES = {
    CLOUD_KEY: (b"AKIA", b"ASIA", b"AIza", b"ya29."),
    PAYMENT_KEY: (b"sk_live_", b"rk_live_", b"sk_test_"),
    TOKEN: (b"ghp_", b"gho_", b"ghs_", b"xoxb-", b"xoxp-", b"xoxa-", b"glpat-", b"npm_"),
    JWT_SECRET: (b"eyJhbGci", b"eyJ0eXAi", b"eyJraWQi"),
}
"""How keys of well-known issuers begin, and JWT of which only the beginning is here; at least KEY_LENGTH bytes in all."""
KEY_LENGTH = 20
_PREFIXES = [(code, prefix) for code, prefixes in PREFIXES.items() for prefix in prefixes]
PREFIX_WORD = np.array([word(prefix) for _, prefix in _PREFIXES], np.uint64)
PREFIX_MASK = np.array([word(b"\xff" * len(prefix)) for _, prefix in _PREFIXES], np.uint64)
PREFIX_CLASS = np.array([code for code, _ in _PREFIXES], np.uint8)
BEGIN_KEY = word(b"-----BEG")
PRIV, VATE, KEY = np.uint32(word(b"PRIV")), np.uint32(word(b"VATE")), np.uint32(word(b"KEY"))
THREE_BYTES = np.uint32(0xFFFFFF)
SPACE, DASH, DOT, PERCENT, PLUS, DIGIT_0, DIGIT_2, LETTER_B, CASE = 32, 45, 46, 37, 43, 48, 50, 98, 32
DNI_LETTERS = np.frombuffer(b"TRWAGMYFPDXBNJZSQVHLCKE", np.uint8)
CN_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
CN_DIGITS = np.frombuffer(b"10X98765432", np.uint8)
CPF_AT = np.array([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13])
"""Where the digits of ddd.ddd.ddd-dd stand."""
CARD_DIGITS, MOST_DIGITS, GROUPS = 14, 19, 4
"""Digits of a card's number, and blanks between them."""
IBAN_SHORTEST, IBAN_LONGEST = 15, 34
"""ISO 13616-1: from Norway's to the longest allowed."""
IBAN_GROUPS = 8


@kernel
def blank_at(text, at, end):
    """Bytes of the blank at a place, also as URLs and forms write it (`+`, %20); 0 where there is none."""
    if text[at] == SPACE or text[at] == PLUS:
        return 1
    return 3 if at + 2 < end and text[at] == PERCENT and text[at + 1] == DIGIT_2 and text[at + 2] == DIGIT_0 else 0


@kernel
def grouped_digits(text, at, length):
    """(digits, the first four of them as a number, their sum by Luhn's rule) of a number that may be set in groups by spaces
    or dashes; -1 digits for anything else."""
    count, first, sum_even, sum_odd, end = 0, 0, 0, 0, at + length
    while at < end:
        byte = text[at]
        if KIND[byte] & DIGIT:
            if count == MOST_DIGITS:
                return -1, 0, 0
            digit = np.int64(byte) - 48
            doubled = 2 * digit - 9 * (digit > 4)
            first = first * 10 + digit if count < 4 else first
            sum_even += doubled if count % 2 == 0 else digit
            sum_odd += digit if count % 2 == 0 else doubled
            count += 1
            at += 1
            continue
        blank = 1 if byte == DASH else blank_at(text, at, end)
        if blank == 0 or count == 0:
            return -1, 0, 0
        at += blank
    return count, first, sum_odd if count % 2 else sum_even


@kernel
def is_issued(four, count):
    """Whether some card network issues numbers that begin with these four digits, of this length (ISO/IEC 7812-1)."""
    two = four // 100
    if count == 15:
        return two == 34 or two == 37
    if count == 14:
        return two == 36 or two == 38 or 3000 <= four <= 3059
    if count < 16:
        return False
    if four // 1000 == 4:
        return count == 16 or count == 19
    if two == 62 or 3528 <= four <= 3589 or four == 6011 or two == 65 or 6440 <= four <= 6499:
        return True
    return count == 16 and (51 <= two <= 55 or 2221 <= four <= 2720)


@kernel
def is_card(text, at, length):
    """Whether this is a card's number: issued, with a right check digit (Luhn)."""
    if length < CARD_DIGITS or length > MOST_DIGITS + GROUPS * 3:
        return False
    count, four, luhn = grouped_digits(text, at, length)
    return count >= CARD_DIGITS and is_issued(four, count) and luhn % 10 == 0


@kernel
def is_iban(text, at, length):
    """Whether this is an IBAN: country, check digits, and the remainder 1 modulo 97 (ISO 13616-1), in groups or not."""
    if length < IBAN_SHORTEST or length > IBAN_LONGEST + IBAN_GROUPS * 3:
        return False
    if not (
        KIND[text[at]] & UPPER and KIND[text[at + 1]] & UPPER and KIND[text[at + 2]] & DIGIT and KIND[text[at + 3]] & DIGIT
    ):
        return False
    remainder, count = 0, 0
    for turn in range(2):
        first, last = (4, length) if turn == 0 else (0, 4)
        k = first
        while k < last:
            blank = blank_at(text, at + k, at + last)
            if blank > 0:
                k += blank
                continue
            byte = text[at + k]
            k += 1
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
def is_cpf(text, at, length):
    """ddd.ddd.ddd-dd with Brazil's two check digits."""
    if length != 14 or text[at + 3] != DOT or text[at + 7] != DOT or text[at + 11] != DASH:
        return False
    for k in range(CPF_AT.shape[0]):
        if not KIND[text[at + CPF_AT[k]]] & DIGIT:
            return False
    for check in range(9, 11):
        total = 0
        for k in range(check):
            total += (np.int64(text[at + CPF_AT[k]]) - 48) * (check + 1 - k)
        if total * 10 % 11 % 10 != np.int64(text[at + CPF_AT[check]]) - 48:
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
        for k in range(8, min(length - 11, 48)):  # -----BEGIN EC PRIVATE KEY-----, its blanks maybe encoded
            if load_le32(text, at + k) == PRIV and load_le32(text, at + k + 3) == VATE:
                blank = blank_at(text, at + k + 7, at + length)
                if blank > 0 and load_le32(text, at + k + 7 + blank) & THREE_BYTES == KEY:
                    return np.int64(PRIVATE_KEY)
        return np.int64(HARMLESS)
    for k in range(PREFIX_WORD.shape[0]):
        if begin & PREFIX_MASK[k] == PREFIX_WORD[k]:
            return np.int64(PREFIX_CLASS[k])
    return np.int64(HARMLESS)


@kernel
def is_encoded_phone(text, at, length):
    """A telephone number as URLs bear it: `+` as %2B, then 8 to 15 digits (E.164)."""
    if not 11 <= length <= 18 or text[at] != PERCENT or text[at + 1] != DIGIT_2 or text[at + 2] | CASE != LETTER_B:
        return False
    for k in range(3, length):
        if not KIND[text[at + k]] & DIGIT:
            return False
    return True


@kernel
def class_by_value(text, at, length, lexical):
    """What a value shows whatever it is called. lexical: its class in lexical.CLASSES."""
    if lexical == JWT:
        return np.int64(JWT_SECRET)
    if lexical == EMAIL:
        return np.int64(EMAIL_SECRET)
    if lexical == PHONE or is_encoded_phone(text, at, length):
        return np.int64(TELEPHONE)
    if length < 9 or lexical == NUMBER:
        return np.int64(HARMLESS)
    if is_card(text, at, length):
        return np.int64(CARD)
    if is_ssn(text, at, length):
        return np.int64(SSN)
    if is_cpf(text, at, length) or is_dni(text, at, length) or is_resident_id(text, at, length):
        return np.int64(NATIONAL_ID)
    if is_iban(text, at, length):
        return np.int64(IBAN)
    return class_by_prefix(text, at, length)
