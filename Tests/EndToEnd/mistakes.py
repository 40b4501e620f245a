"""Mistakes in settings that the process finds, and the relay's message for each; `MistakesTests` have those of the settings alone.

A row has the exact line, which says what is wrong, where, and what to do; with `mended`, which follows from that, the error
is gone.
"""

from typing import NamedTuple

TOKEN = "sk-relay-for-tests-0001"
CALLER = f"KEY_TEAM_TOKEN={TOKEN}\n"
ECHO = "PROVIDER_A_KIND=echo\n" + CALLER
OPENAI = "PROVIDER_B_KIND=openai\nPROVIDER_B_BASE_URL=http://127.0.0.1:9/v1\nPROVIDER_B_MODELS=llama\n" + CALLER
VISIBLE = "the value is not a list of keys, each of 1 to 512 visible ASCII characters"
ENV_FILE = (
    "the value has a comment or quotes, which `docker run --env-file` and Compose's `environment:` keep; remove them, or mount the file and "
    "set ENV_FILE to its path"
)


class Mistake(NamedTuple):
    """A mistake. `file` is the `.env`. In texts, `{folder}` is the working directory, `{port}` a free port."""

    name: str
    file: str
    line: str
    mended: str
    """The whole `.env` after the correction."""
    environment: dict[str, str] = {}
    mended_environment: dict[str, str] | None = None
    is_warning: bool = False


MISTAKES = [
    Mistake(
        "process environment", "", "environment  RATE_LIMT: unknown variable; did you mean RATE_LIMIT?", "", {"RATE_LIMT": "5/minute"},
        {"RATE_LIMIT": "5/minute"}, is_warning=True,
    ),
    Mistake(
        "token's file", "PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN_FILE={folder}/token\nKEY_TEAM_MODELS=all\n",
        '.env:2  KEY_TEAM_TOKEN_FILE: "{folder}/token" cannot be read: No such file or directory; put the file there, or '
        "correct the path",
        "PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN_FILE={folder}/written\nKEY_TEAM_MODELS=all\n",
    ),
    Mistake(
        "data folder", ECHO + "DATA_DIR={folder}/a/b\n",
        ".env:3  DATA_DIR: {folder}/a/b cannot be made: {folder}/a is missing; make it, or name another folder",
        ECHO + "DATA_DIR={folder}/a\n",
    ),
    Mistake(
        "file of settings", "",
        "environment  ENV_FILE: {folder}/no.env: No such file or directory; put the file there, or correct "
        "the path",
        "", {"ENV_FILE": "{folder}/no.env"}, {"ENV_FILE": "{folder}/.env"},
    ),
    Mistake(
        "comment of --env-file", "", f"environment  KEY_TEAM_TOKEN: {VISIBLE}: {ENV_FILE}", ECHO,
        {"PROVIDER_A_KIND": "echo", "KEY_TEAM_TOKEN": TOKEN + "   # the team's"}, {"ENV_FILE": "{folder}/.env"},
    ),
    Mistake(
        "quotes of --env-file", "", f"environment  KEY_TEAM_TOKEN: {ENV_FILE}", ECHO,
        {"PROVIDER_A_KIND": "echo", "KEY_TEAM_TOKEN": f'"{TOKEN}"'}, {"ENV_FILE": "{folder}/.env"}, is_warning=True,
    ),
    Mistake(
        "comment behind a file of --env-file", "",
        f'environment  KEY_TEAM_TOKEN_FILE: the file cannot be read: No such file or directory; '
        f"{ENV_FILE}",
        ECHO, {"PROVIDER_A_KIND": "echo", "KEY_TEAM_TOKEN_FILE": "secrets/team # the team's", "ANONYMOUS_MODELS": "all"},
        {"ENV_FILE": "{folder}/.env"},
    ),
    Mistake(
        "file that is no certificate", "SSL_CERT_FILE={folder}/written\n",
        '.env:1  SSL_CERT_FILE: "{folder}/written" contains no certificate; set the path of a PEM file, '
        'which contains -----BEGIN CERTIFICATE-----',
        "SSL_CERT_FILE={folder}/ca.pem\n",
    ),
    Mistake(
        "damaged certificate", "SSL_CERT_FILE={folder}/damaged.pem\n",
        '.env:1  SSL_CERT_FILE: "{folder}/damaged.pem" has a certificate that cannot be read; copy the file again',
        "SSL_CERT_FILE={folder}/ca.pem\n",
    ),
    Mistake("CR at the ends of lines", ECHO.replace("\n", "\r"), ".env  save this file with LF at the ends of lines", ECHO),
    Mistake(
        "variable in a database's password", ECHO + "USAGE_DATABASE_URL=postgres://relay:$PASSWORD@db/relay\n",
        ".env:3  USAGE_DATABASE_URL: contains a variable after $, which the relay does not replace; write its value in its place",
        ECHO + "USAGE_DATABASE_URL=postgres://relay:a$Pas@db/relay\n", {"DATA_DIR": ""}, is_warning=True,
    ),
    Mistake(
        "settings from a server that is down", "CONFIG_URL=http://127.0.0.1:{port}/x.env\n",
        ".env:1  CONFIG_URL: the document cannot be read: Couldn't connect to server; correct it, or set CONFIG_REQUIRED=false to "
        "start without the document",
        "CONFIG_URL=http://127.0.0.1:{port}/x.env\nCONFIG_REQUIRED=false\n",
    ),
    Mistake(
        "database of SQLite", ECHO + "USAGE_DATABASE_URL=sqlite:///usage.db\n",
        ".env:3  USAGE_DATABASE_URL: the value is not a URL such as postgres://user:password@host:5432/database, with %40 for an @ in the "
        "password: for SQLite set DATA_DIR to a folder in its place",
        ECHO + "DATA_DIR={folder}/data\n",
    ),
    Mistake(
        "key with quotes in a file", "PROVIDER_A_KIND=echo\nFILE_ID_SECRET=0123456789abcdef\nKEY_TEAM_TOKEN_FILE=quoted\n",
        ".env:3  KEY_TEAM_TOKEN: begins with a quote, a bracket or a setting's name, which then are parts of it; write only the value",
        ECHO, is_warning=True,
    ),
    Mistake(
        "key that is wrapped", "PROVIDER_A_KIND=echo\nFILE_ID_SECRET=0123456789abcdef\nKEY_TEAM_TOKEN_FILE=wrapped\n",
        ".env:3  KEY_TEAM_TOKEN: each of its 2 lines is a key of its own; if they are one key, write it on one line", ECHO,
        is_warning=True,
    ),
    Mistake(
        "the path of a key", OPENAI + "PROVIDER_B_API_KEYS={folder}/written\n",
        ".env:5  PROVIDER_B_API_KEYS: is the path of a file, which is not read; set PROVIDER_B_API_KEYS_FILE to it",
        OPENAI + "PROVIDER_B_API_KEYS=k-0123456789\n", is_warning=True,
    ),
]  # fmt: skip
