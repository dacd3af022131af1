"""No secret leaves through the log: not in messages, fields, exceptions, or other libraries."""

import io
import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from hedger import log

STARK_KEY = "0x" + "3c" * 31 + "1"
LIGHTER_KEY = "0x" + "9f" * 40
API_KEY = "dfa1c8f2canary04b5e7"
AUTH_TOKEN = "1767388800:700001:5:" + "ab" * 80
CANARIES = (STARK_KEY, LIGHTER_KEY, API_KEY, AUTH_TOKEN)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    written = io.StringIO()
    log.configure(level="DEBUG", stream=written)
    yield written
    log.configure()


def assert_masked(text: str) -> None:
    for canary in CANARIES:
        assert canary not in text
        assert canary.removeprefix("0x")[:24] not in text
    assert log.MASK in text


@pytest.mark.parametrize("secret", [STARK_KEY, LIGHTER_KEY, AUTH_TOKEN])
def test_a_secret_is_masked_by_its_form_in_a_message(lines: io.StringIO, secret: str) -> None:
    logger.info("signed with {} just now", secret)

    assert_masked(lines.getvalue())
    assert "just now" in lines.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        f"X-Api-Key: {API_KEY}",
        f"{{'X-Api-Key': '{API_KEY}', 'a': 1}}",
        f"('X-Api-Key', '{API_KEY}')",
        f"Authorization: Bearer {API_KEY}",
        f"authorization={API_KEY}",
        f"api_key={API_KEY}",
        f'{{"api_key": "{API_KEY}"}}',
        f"StarkAccount(vault=10002, private_key='{API_KEY}')",
        f"private_key_5: {API_KEY}",
        f"GET /api/v1/accountActiveOrders?auth={API_KEY}&market_id=0",
        f"GET /x?auth={AUTH_TOKEN.replace(':', '%3A')}",
    ],
)
def test_whatever_is_named_like_a_secret_is_masked(lines: io.StringIO, text: str) -> None:
    logger.info("{}", text)

    assert_masked(lines.getvalue())


def test_what_is_no_secret_stays_readable(lines: io.StringIO) -> None:
    text = "api_key_index=5 order eth-260102213005-k3f9-1 sold 0.0412 at 2500.15, nonce 1767388800"

    logger.bind(hedge="eth-260102213005-k3f9", nonce=7).info(text)

    assert text in lines.getvalue()
    assert "hedge=eth-260102213005-k3f9 nonce=7" in lines.getvalue()


def test_a_hidden_value_is_masked_in_any_spelling(lines: io.StringIO) -> None:
    log.hide(["0xCafe0123Canary99"])

    logger.info("cafe0123canary99 and 0xCAFE0123CANARY99")

    assert "canary99" not in lines.getvalue().lower()


def test_a_short_value_is_not_hidden_because_it_would_mask_numbers(lines: io.StringIO) -> None:
    log.hide(["25"])

    logger.info("price 2500.25")

    assert "2500.25" in lines.getvalue()


def test_a_secret_is_masked_in_the_fields_of_a_line(lines: io.StringIO) -> None:
    logger.bind(key=STARK_KEY, headers={"X-Api-Key": API_KEY}).info("sent")

    assert_masked(lines.getvalue())


def test_a_secret_is_masked_in_the_text_of_an_exception(lines: io.StringIO) -> None:
    def sign(private_key: str) -> None:
        raise ValueError(f"cannot sign with {private_key}")

    try:
        sign(STARK_KEY)
    except ValueError:
        logger.exception("signing failed")

    assert_masked(lines.getvalue())
    assert "cannot sign with ***" in lines.getvalue()


def test_a_traceback_does_not_show_the_values_of_variables(lines: io.StringIO) -> None:
    def sign(passphrase: str) -> float:
        return len(passphrase) / 0

    passphrase = f"an-unregistered-{'canary'}"

    try:
        sign(passphrase)
    except ZeroDivisionError:
        logger.exception("signing failed")

    assert "ZeroDivisionError" in lines.getvalue()
    assert passphrase not in lines.getvalue()


def test_what_other_libraries_log_comes_through_the_same_mask(lines: io.StringIO) -> None:
    logging.getLogger("lighter.rest").error("denied for %s", LIGHTER_KEY)

    assert_masked(lines.getvalue())
    assert "ERROR   lighter.rest: denied for" in lines.getvalue()


def test_the_requests_that_http_libraries_log_are_left_out(lines: io.StringIO) -> None:
    logging.getLogger("httpx").info("GET /api/v1/account?auth=%s", AUTH_TOKEN)

    assert lines.getvalue() == ""


def test_braces_in_a_message_are_only_text(lines: io.StringIO) -> None:
    logger.info("{}", '{"code": 1140, "extra[_line]": {}}')

    assert '{"code": 1140, "extra[_line]": {}}' in lines.getvalue()


def test_the_file_is_owner_only_bounded_and_masked(tmp_path: Path) -> None:
    path = tmp_path / "hedger.log"
    log.configure(stream=io.StringIO(), file=path, file_max_mb=1, file_keep=2)

    for number in range(6_000):
        logger.info("{} {} {}", number, "x" * 900, STARK_KEY)
    log.configure()

    files = sorted(tmp_path.iterdir())
    assert 2 <= len(files) <= 3
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.stat().st_size <= 1_001_000
        assert STARK_KEY not in file.read_text(encoding="utf-8")


def test_before_it_is_configured_a_problem_is_logged_without_variables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.configure()
    log.ensure()

    logger.warning("odd {}", STARK_KEY)

    assert capsys.readouterr().err.count("odd ***") == 1
