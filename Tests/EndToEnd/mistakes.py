"""Mistakes in settings and on the command line, and the relay's message for each.

A row has the exact line, which says what is wrong, where, and what to do; with `mended`, which follows from that, the error
is gone.
"""

from typing import NamedTuple

TOKEN = "sk-relay-for-tests-0001"
CALLER = f"KEY_TEAM_TOKEN={TOKEN}\n"
ECHO = "PROVIDER_A_KIND=echo\n" + CALLER
GROUPED = ECHO + "PROVIDER_B_KIND=echo\nPROVIDER_B_MODELS=other\nKEY_TEAM_MODELS=echo\nKEY_TEAM_GROUP=eng\n"
OPENAI = "PROVIDER_B_KIND=openai\nPROVIDER_B_BASE_URL=http://127.0.0.1:9/v1\nPROVIDER_B_MODELS=llama\n" + CALLER
KINDS = "openai, anthropic, gemini, cohere, cloudflare, vertexai_gemini, vertexai_claude, echo"
ALL_KINDS = f"one of onemin, {KINDS}"
VISIBLE = "the value is not a list of keys, each of 1 to 512 visible ASCII characters"
ENV_FILE = (
    "the value has a comment or quotes, which `docker run --env-file` and Compose's `environment:` keep; remove them, or mount the file and "
    "set ENV_FILE to its path"
)
LIMITS = "is not off or limits such as 60/minute;2000/day"


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


def unknown(name: str, file: str, line: str, do: str, **more: object) -> Mistake:
    place, _, rest = line.partition("  ")
    wrong = rest.partition(":")[0]
    environment = {wrong: "5/minute"} if place == "environment" else {}
    mended = {do: "5/minute"} if environment else None
    return Mistake(name, file, line, file.replace(wrong + "=", do + "="), environment, mended, **more)  # type: ignore[arg-type]


THE_LIST = [
    unknown(".env", "RATE_LIMT=5/minute\n", ".env:1  RATE_LIMT: unknown variable; did you mean RATE_LIMIT?", "RATE_LIMIT"),
    unknown(
        "field of a caller", ECHO + "KEY_TEAM_MODEL=echo\n",
        ".env:3  KEY_TEAM_MODEL: unknown variable; did you mean KEY_TEAM_MODELS?", "KEY_TEAM_MODELS",
    ),
    unknown(
        "field of a provider", OPENAI + "PROVIDER_B_APIKEY=k\n",
        ".env:5  PROVIDER_B_APIKEY: unknown variable; did you mean PROVIDER_B_API_KEY?", "PROVIDER_B_API_KEY",
    ),
    unknown(
        "small letters", f"PROVIDER_A_KIND=echo\nKEY_bob_TOKEN={TOKEN}\nANONYMOUS_MODELS=all\n",
        ".env:2  KEY_bob_TOKEN: unknown variable; did you mean KEY_BOB_TOKEN? Names consist of A-Z, 0-9 and _.", "KEY_BOB_TOKEN",
    ),
    unknown(
        "process environment", "", "environment  RATE_LIMT: unknown variable; did you mean RATE_LIMIT?", "RATE_LIMIT",
        is_warning=True,
    ),
    Mistake("port of five digits", "PORT=70000\n", '.env:1  PORT: "70000" is not a number from 1 to 65535', "PORT=7000\n"),
    Mistake("port twice", "PORT=5001\nPORT=5002\n", ".env:2  PORT: already set in line 1", "PORT=5002\n"),
    Mistake(
        "dollars", ECHO + "PROVIDER_A_COST=0.001\nRATE_LIMIT_TOTAL=$5/day\n",
        f'.env:4  RATE_LIMIT_TOTAL: "$5/day" {LIMITS}: a limit begins with a number, as in 60/minute; or 5 usd/day',
        ECHO + "PROVIDER_A_COST=0.001\nRATE_LIMIT_TOTAL=5 usd/day\n",
    ),
    Mistake(
        "no window", ECHO + "PROVIDER_A_COST=0.001\nRATE_LIMIT_TOTAL=5 usd\n",
        f'.env:4  RATE_LIMIT_TOTAL: "5 usd" {LIMITS}: no window, as in 5 usd/day',
        ECHO + "PROVIDER_A_COST=0.001\nRATE_LIMIT_TOTAL=5 usd/day\n",
    ),
    Mistake(
        "dollars without a price", ECHO + "RATE_LIMIT_TOTAL=5 usd/day\n",
        ".env:3  RATE_LIMIT_TOTAL: no provider has a price, so no request costs usd; set PROVIDER_A_COST=0.001/0.004 (USD "
        "per 1000 tokens of the prompt and of the completion)",
        ECHO + "RATE_LIMIT_TOTAL=5 usd/day\nPROVIDER_A_COST=0.001/0.004\n",
    ),
    Mistake(
        "kind", "PROVIDER_B_KIND=openia\nPROVIDER_B_MODELS=llama\n" + CALLER, f'.env:1  PROVIDER_B_KIND: "openia" is not {ALL_KINDS}',
        "PROVIDER_B_KIND=openai\nPROVIDER_B_API_KEYS=k\nPROVIDER_B_MODELS=llama\n" + CALLER,
    ),
    Mistake(
        "no models", "PROVIDER_B_KIND=openai\n" + CALLER,
        ".env:1  PROVIDER_B_KIND: PROVIDER_B_MODELS must name the models of this provider, or be * for all models on the "
        "vendor's list",
        "PROVIDER_B_KIND=openai\nPROVIDER_B_API_KEYS=k\nPROVIDER_B_MODELS=*\n" + CALLER,
    ),
    Mistake(
        "no caller", "ONE_MIN_API_KEYS=v-1\n",
        ".env:1  ONE_MIN_API_KEYS: nobody may use this provider; set KEY_<NAME>_TOKEN or ANONYMOUS_MODELS; `relay key NAME` "
        "prints such a line with a new token",
        "ONE_MIN_API_KEYS=v-1\n" + CALLER,
    ),
    Mistake(
        "token's file", "PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN_FILE={folder}/token\nKEY_TEAM_MODELS=all\n",
        '.env:2  KEY_TEAM_TOKEN_FILE: "{folder}/token" cannot be read: No such file or directory; put the file there, or '
        "correct the path",
        "PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN_FILE={folder}/written\nKEY_TEAM_MODELS=all\n",
    ),
    Mistake(
        "model of a caller", ECHO + "KEY_TEAM_MODELS=ecko\n",
        '.env:3  KEY_TEAM_MODELS: "ecko" matches no model of a provider that holds credentials; did you mean "echo"?',
        ECHO + "KEY_TEAM_MODELS=echo\n", is_warning=True,
    ),
    Mistake(
        "one token twice", ECHO + f"KEY_BOB_TOKEN={TOKEN}\n", ".env:2  KEY_TEAM_TOKEN: is the same as KEY_BOB_TOKEN (.env:3)",
        ECHO + "KEY_BOB_TOKEN=sk-relay-of-bob-00001\n",
    ),
    Mistake(
        "URL without a scheme", OPENAI.replace("http://127.0.0.1:9/v1", "localhost:11434/v1"),
        '.env:2  PROVIDER_B_BASE_URL: "localhost:11434/v1" is not a URL such as https://host or https://host/path',
        OPENAI.replace("http://127.0.0.1:9", "https://localhost:11434"),
    ),
    Mistake(
        "URL without a path", OPENAI.replace(":9/v1", ":11434"),
        ".env:2  PROVIDER_B_BASE_URL: has no path, but most servers of the kind openai have one; did you mean "
        "http://127.0.0.1:11434/v1?",
        OPENAI.replace(":9/v1", ":11434/v1"), is_warning=True,
    ),
    Mistake(
        "URL of the endpoint", OPENAI.replace("/v1", "/v1/chat/completions"),
        ".env:2  PROVIDER_B_BASE_URL: ends in /chat/completions, which the relay adds itself; write http://127.0.0.1:9/v1", OPENAI,
        is_warning=True,
    ),
    Mistake(
        "Bearer", OPENAI + 'PROVIDER_B_API_KEYS="Bearer sk-1"\n',
        f'.env:5  PROVIDER_B_API_KEYS: {VISIBLE}: it begins with "Bearer ", which is a part of the header and not of the key; write only the key',
        OPENAI + "PROVIDER_B_API_KEYS=sk-1\n",
    ),
    unknown(
        "dash in a NAME", ECHO + "KEY_MY-TEAM_TOKEN=sk-relay-of-my-team-1\n",
        ".env:3  KEY_MY-TEAM_TOKEN: unknown variable; did you mean KEY_MY_TEAM_TOKEN? Names consist of A-Z, 0-9 and _, without "
        "dashes.",
        "KEY_MY_TEAM_TOKEN",
    ),
    Mistake(
        "another program's variable", CALLER + "OPENAI_API_KEY=sk-1\n",
        ".env:2  OPENAI_API_KEY: unknown variable; in this relay the setting is PROVIDER_OPENAI_API_KEYS; also set "
        "PROVIDER_OPENAI_KIND=openai and PROVIDER_OPENAI_MODELS",
        CALLER + "PROVIDER_OPENAI_API_KEYS=sk-1\nPROVIDER_OPENAI_KIND=openai\nPROVIDER_OPENAI_MODELS=gpt-4o\n",
    ),
    Mistake(
        "body larger than memory", "MEMORY_MB=64\nMAX_BODY_MB=32\n",
        ".env:2  MAX_BODY_MB: 32 MB do not fit: a body is held twice while it is read, and one caller may hold a quarter of MEMORY_MB "
        "(64); set it to at most 8, or MEMORY_MB to at least 256",
        "MEMORY_MB=64\nMAX_BODY_MB=8\n",
    ),
    Mistake(
        "comma in a price", ECHO + "PROVIDER_A_COST=0,001\n",
        '.env:3  PROVIDER_A_COST: "0,001" is not a price such as 0.002, 0.001/0.004 or 0.001/0.004/0.0005, up to 1000 dollars, '
        "with at most nine decimals",
        ECHO + "PROVIDER_A_COST=0.002\n",
    ),
    Mistake(
        "data folder", ECHO + "DATA_DIR={folder}/a/b\n",
        ".env:3  DATA_DIR: {folder}/a/b cannot be made: {folder}/a is missing; make it, or name another folder",
        ECHO + "DATA_DIR={folder}/a\n",
    ),
]  # fmt: skip

OWN = [
    Mistake(
        "no kind", "PROVIDER_B_MODELS=llama\n" + CALLER,
        f".env:1  PROVIDER_B_MODELS: PROVIDER_B_KIND is not set; set it to one of onemin, {KINDS}",
        "PROVIDER_B_MODELS=llama\nPROVIDER_B_KIND=openai\nPROVIDER_B_API_KEYS=k\n" + CALLER,
    ),
    Mistake(
        "no token", ECHO + "KEY_BOB_MODELS=all\n", ".env:3  KEY_BOB_MODELS: KEY_BOB_TOKEN is not set; set it, or remove this line",
        ECHO + "KEY_BOB_MODELS=all\nKEY_BOB_TOKEN=sk-relay-of-bob-00001\n",
    ),
    Mistake(
        "space in a key", OPENAI + "PROVIDER_B_API_KEYS=sk-1 sk-2\n",
        f".env:5  PROVIDER_B_API_KEYS: {VISIBLE}: a key contains a space; write a comma between two keys",
        OPENAI + "PROVIDER_B_API_KEYS=sk-1,sk-2\n",
    ),
    Mistake(
        "default model", ECHO + "DEFAULT_MODEL=eccho\n", '.env:3  DEFAULT_MODEL: no provider serves "eccho"; did you mean "echo"?',
        ECHO + "DEFAULT_MODEL=echo\n",
    ),
    Mistake(
        "fallback model with its maker", "FALLBACK_MODEL=openai/gpt-4o-mini\n",
        '.env:1  FALLBACK_MODEL: no provider serves "openai/gpt-4o-mini"; did you mean "gpt-4o-mini"?', "FALLBACK_MODEL=gpt-4o-mini\n",
    ),
    Mistake(
        "models without a key", "PROVIDER_A_KIND=echo\nANONYMOUS_MODELS=Echo\n",
        '.env:2  ANONYMOUS_MODELS: "Echo" matches no model of a provider that holds credentials; did you mean "echo"?',
        "PROVIDER_A_KIND=echo\nANONYMOUS_MODELS=echo\n", is_warning=True,
    ),
    Mistake(
        "limit of a model", "RATE_LIMIT_BY_MODEL=gtp-4o*=5/minute\n",
        '.env:1  RATE_LIMIT_BY_MODEL: "gtp-4o*" matches no model; did you mean "gpt-4o*"?', "RATE_LIMIT_BY_MODEL=gpt-4o*=5/minute\n",
        is_warning=True,
    ),
    Mistake(
        "limit of no model", ECHO + "RATE_LIMIT_BY_MODEL=claude*=5/minute\n",
        '.env:3  RATE_LIMIT_BY_MODEL: "claude*" matches no model; `relay models` lists the names',
        ECHO + "RATE_LIMIT_BY_MODEL=echo=5/minute\n", is_warning=True,
    ),
    Mistake(
        "order of providers", ECHO + "PROVIDER_GROQ_KIND=echo\nPROVIDERS=grok,a\n",
        '.env:4  PROVIDERS: no provider "grok" is declared; did you mean "groq"?', ECHO + "PROVIDER_GROQ_KIND=echo\nPROVIDERS=groq,a\n",
    ),
    Mistake(
        "weight of a model", OPENAI + "PROVIDER_B_WEIGHTS=lama=2\n",
        '.env:5  PROVIDER_B_WEIGHTS: PROVIDER_B_MODELS does not contain "lama"; did you mean "llama"?',
        OPENAI + "PROVIDER_B_WEIGHTS=llama=2\n",
    ),
    Mistake(
        "weights of keys", OPENAI + "PROVIDER_B_API_KEYS=k\nPROVIDER_B_KEY_WEIGHTS=1,2\n",
        ".env:6  PROVIDER_B_KEY_WEIGHTS: 2 weights for 1 key; write one weight for each key, or remove this line",
        OPENAI + "PROVIDER_B_API_KEYS=k\nPROVIDER_B_KEY_WEIGHTS=1\n",
    ),
    Mistake(
        "old form of the keys", ECHO + "PROVIDER_ONEMIN_KIND=onemin\nPROVIDER_ONEMIN_API_KEYS=v-1\nONE_MIN_API_KEYS=v-2\n",
        ".env:5  ONE_MIN_API_KEYS: is an older name of PROVIDER_ONEMIN_API_KEYS, which is set, too; remove this line",
        ECHO + "PROVIDER_ONEMIN_KIND=onemin\nPROVIDER_ONEMIN_API_KEYS=v-1\n",
    ),
    Mistake(
        "credits without 1min.ai", ECHO + "RATE_LIMIT_TOTAL=5000 credits/day\n",
        ".env:3  RATE_LIMIT_TOTAL: no provider is of the kind onemin, so no request costs credits; declare a "
        "provider of the kind onemin (PROVIDER_<NAME>_KIND=onemin), or limit tokens or usd",
        ECHO + "RATE_LIMIT_TOTAL=5000 tokens/day\n",
    ),
    Mistake(
        "port in memcached's host", "MEMCACHED_HOST=127.0.0.1:11211\n",
        '.env:1  MEMCACHED_HOST: "127.0.0.1:11211" is not the name or address of a host: set the port separately: '
        "MEMCACHED_HOST=127.0.0.1 and MEMCACHED_PORT=11211, or MEMCACHED_SERVERS=127.0.0.1:11211",
        "MEMCACHED_SERVERS=127.0.0.1:11211\n",
    ),
    Mistake(
        "both forms of memcached's address", "MEMCACHED_HOST=a\nMEMCACHED_SERVERS=a:11211\n",
        ".env:1  MEMCACHED_HOST: MEMCACHED_SERVERS is also set (.env:2); remove one of them", "MEMCACHED_SERVERS=a:11211\n",
    ),
    Mistake(
        "file of settings", "",
        "environment  ENV_FILE: {folder}/no.env: No such file or directory; put the file there, or correct "
        "the path",
        "", {"ENV_FILE": "{folder}/no.env"}, {"ENV_FILE": "{folder}/.env"},
    ),
    Mistake(
        "folder of settings", "", "environment  ENV_FILE: {folder}: Is a directory; set the path of a file, this is a folder", "",
        {"ENV_FILE": "{folder}"}, {"ENV_FILE": "{folder}/.env"},
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
        "several relays and one folder", ECHO + "RELAYS=2\n",
        ".env:3  RELAYS: DATA_DIR is for one relay only; several share USAGE_DATABASE_URL (with Compose: deploy/postgres.yml)",
        ECHO + "RELAYS=2\nUSAGE_DATABASE_URL=postgres://relay@db/relay\n", is_warning=True,
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
    Mistake(
        "open quote", 'PROVIDER_A_KIND="echo\n' + CALLER + 'PROVIDER_A_LABEL="\n',
        ".env:1  PROVIDER_A_KIND: a later line of this value sets another variable; end its quotes, and save the file with LF at the "
        "ends of lines",
        ECHO,
    ),
    Mistake("CR at the ends of lines", ECHO.replace("\n", "\r"), ".env  save this file with LF at the ends of lines", ECHO),
    Mistake(
        "variable in a key", OPENAI + "PROVIDER_B_API_KEYS=${OPENAI_API_KEY}\n",
        ".env:5  PROVIDER_B_API_KEYS: contains a variable after $, which the relay does not replace; write its value in its place",
        OPENAI + "PROVIDER_B_API_KEYS=k$ey$1\n", is_warning=True,
    ),
    Mistake(
        "variable in a database's password", ECHO + "USAGE_DATABASE_URL=postgres://relay:$PASSWORD@db/relay\n",
        ".env:3  USAGE_DATABASE_URL: contains a variable after $, which the relay does not replace; write its value in its place",
        ECHO + "USAGE_DATABASE_URL=postgres://relay:a$Pas@db/relay\n", {"DATA_DIR": ""}, is_warning=True,
    ),
    Mistake(
        "semicolon between keys", OPENAI + "PROVIDER_B_API_KEYS=k-1;k-2\n",
        ".env:5  PROVIDER_B_API_KEYS: contains ;, which is a part of the key; write a comma between two keys",
        OPENAI + "PROVIDER_B_API_KEYS=k-1,k-2\n", is_warning=True,
    ),
    Mistake(
        "no key for OpenAI", "PROVIDER_B_KIND=openai\nPROVIDER_B_MODELS=gpt-x\n" + CALLER,
        ".env:1  PROVIDER_B_KIND: no key is set, and https://api.openai.com/v1 accepts no request without one; set PROVIDER_B_API_KEYS, or "
        "PROVIDER_B_PASSTHROUGH=true for keys of the callers",
        "PROVIDER_B_KIND=openai\nPROVIDER_B_API_KEYS=k\nPROVIDER_B_MODELS=gpt-x\n" + CALLER, is_warning=True,
    ),
    Mistake(
        "no key for Anthropic", "PROVIDER_B_KIND=anthropic\nPROVIDER_B_MODELS=claude-x\n" + CALLER,
        ".env:1  PROVIDER_B_KIND: no key is set, and https://api.anthropic.com accepts no request without one; set PROVIDER_B_API_KEYS, or "
        "PROVIDER_B_PASSTHROUGH=true for keys of the callers",
        "PROVIDER_B_KIND=anthropic\nPROVIDER_B_API_KEYS=k\nPROVIDER_B_MODELS=claude-x\n" + CALLER, is_warning=True,
    ),
    Mistake(
        "URL of the responses", OPENAI.replace("/v1", "/v1/responses"),
        ".env:2  PROVIDER_B_BASE_URL: ends in /responses, which the relay adds itself; write http://127.0.0.1:9/v1", OPENAI,
        is_warning=True,
    ),
    Mistake(
        "URL of the messages", OPENAI.replace("openai", "anthropic").replace("/v1", "/v1/messages"),
        ".env:2  PROVIDER_B_BASE_URL: ends in /messages, which the relay adds itself; write http://127.0.0.1:9/v1",
        OPENAI.replace("openai", "anthropic"), is_warning=True,
    ),
    Mistake(
        "alerts without a budget", ECHO + "BUDGET_ALERT_URL=https://hooks.example.org/x\n",
        ".env:3  BUDGET_ALERT_URL: no limit is a budget, so nothing is posted; set one, as in RATE_LIMIT=5 usd/day",
        ECHO + "BUDGET_ALERT_URL=https://hooks.example.org/x\nRATE_LIMIT=5 usd/day\nPROVIDER_A_COST=0.001/0.004\n", is_warning=True,
    ),
    Mistake(
        "only provider without weight", ECHO + "PROVIDER_A_WEIGHT=0\n",
        ".env:3  PROVIDER_A_WEIGHT: is 0 for the only provider, so no request is served; remove this line", ECHO, is_warning=True,
    ),
    Mistake(
        "no provider with a weight", ECHO + "PROVIDER_A_WEIGHT=0\nPROVIDER_B_KIND=echo\nPROVIDER_B_WEIGHT=0\n",
        ".env:3  PROVIDER_A_WEIGHT: is 0 for each provider, so no request is served; remove this line",
        ECHO + "PROVIDER_B_KIND=echo\nPROVIDER_B_WEIGHT=0\n", is_warning=True,
    ),
    Mistake(
        "URL of the relay itself", OPENAI.replace(":9/v1", ":5001/v1"),
        ".env:2  PROVIDER_B_BASE_URL: is an address of this relay, which would call itself; write the vendor's URL", OPENAI,
    ),
    Mistake(
        "model without a weight", ECHO + "PROVIDER_B_KIND=echo\nPROVIDER_B_MODELS=llama,qwen\nPROVIDER_B_WEIGHTS=llama=0\n",
        '.env:5  PROVIDER_B_WEIGHTS: "llama" has no weight above 0 at any provider, so no request for it is served; write a weight above 0, '
        "or remove the model",
        ECHO + "PROVIDER_B_KIND=echo\nPROVIDER_B_MODELS=llama,qwen\nPROVIDER_A_MODELS=llama\nPROVIDER_B_WEIGHTS=llama=0\n",
        is_warning=True,
    ),
    Mistake(
        "models of a key and its group", GROUPED + "GROUP_ENG_MODELS=other\n",
        ".env:6  KEY_TEAM_GROUP: has no model in common with the MODELS of the key and of its other groups, so it may use none; "
        "correct one of these lists",
        GROUPED + "GROUP_ENG_MODELS=other,echo\n", is_warning=True,
    ),
    Mistake(
        "settings from a server that is down", "CONFIG_URL=http://127.0.0.1:{port}/x.env\n",
        ".env:1  CONFIG_URL: the document cannot be read: Couldn't connect to server; correct it, or set CONFIG_REQUIRED=false to "
        "start without the document",
        "CONFIG_URL=http://127.0.0.1:{port}/x.env\nCONFIG_REQUIRED=false\n",
    ),
    Mistake(
        "Anthropic's variable", CALLER + "ANTHROPIC_BASE_URL=https://api.anthropic.com\n",
        ".env:2  ANTHROPIC_BASE_URL: unknown variable; in this relay the setting is PROVIDER_ANTHROPIC_BASE_URL; also set "
        "PROVIDER_ANTHROPIC_KIND=anthropic and PROVIDER_ANTHROPIC_MODELS",
        CALLER + "PROVIDER_ANTHROPIC_BASE_URL=https://api.anthropic.com\nPROVIDER_ANTHROPIC_KIND=anthropic\n"
        "PROVIDER_ANTHROPIC_MODELS=claude-sonnet-4-5\nPROVIDER_ANTHROPIC_API_KEYS=k\n",
    ),
    Mistake(
        "proxy", "HTTPS_PROXY=http://proxy:3128\n", ".env:1  HTTPS_PROXY: unknown variable; in this relay the setting is UPSTREAM_PROXY",
        "UPSTREAM_PROXY=http://proxy:3128\n",
    ),
    unknown("caller without a field", f"PROVIDER_A_KIND=echo\nKEY_A={TOKEN}\n",
            ".env:2  KEY_A: unknown variable; did you mean KEY_A_TOKEN?", "KEY_A_TOKEN"),
    unknown("provider without a field", CALLER + "PROVIDER_A=echo\nPROVIDER_A_MODELS=echo\n",
            ".env:2  PROVIDER_A: unknown variable; did you mean PROVIDER_A_KIND?", "PROVIDER_A_KIND"),
    unknown("some words of a field", ECHO + "KEY_TEAM_LIMIT=5/minute\n",
            ".env:3  KEY_TEAM_LIMIT: unknown variable; did you mean KEY_TEAM_RATE_LIMIT?", "KEY_TEAM_RATE_LIMIT"),
    unknown("only caller has a dash", f"PROVIDER_A_KIND=echo\nKEY_MY-TEAM_TOKEN={TOKEN}\nKEY_MY_TEAM_MODELS=all\n",
            ".env:2  KEY_MY-TEAM_TOKEN: unknown variable; did you mean KEY_MY_TEAM_TOKEN? Names consist of A-Z, 0-9 and _, without "
            "dashes.", "KEY_MY_TEAM_TOKEN"),
    unknown("empty NAME", f"PROVIDER_A_KIND=echo\nKEY__TOKEN={TOKEN}\n",
            ".env:2  KEY__TOKEN: unknown variable; the NAME is missing, as in KEY_A_TOKEN", "KEY_A_TOKEN"),
    unknown("no NAME", f"PROVIDER_A_KIND=echo\nKEY_TOKEN={TOKEN}\n",
            ".env:2  KEY_TOKEN: unknown variable; the NAME is missing, as in KEY_A_TOKEN", "KEY_A_TOKEN"),
    Mistake(
        "common password", ECHO + "ADMIN_PASSWORD=password\n",
        ".env:3  ADMIN_PASSWORD: the value is not a password of 8 to 512 characters that is hard to guess: `openssl rand -hex 24` makes one",
        ECHO + "ADMIN_PASSWORD=2b1c9d4e5f60718293a4b5c6d7e8f9012345678901234567\n",
    ),
    Mistake(
        "Bearer in a caller's token", f'PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN="Bearer {TOKEN}"\n',
        f'.env:2  KEY_TEAM_TOKEN: {VISIBLE}: it begins with "Bearer ", which is a part of the header and not of the key; write only '
        "the key",
        ECHO,
    ),
    Mistake(
        "Azure as a kind", "PROVIDER_B_KIND=azure\nPROVIDER_B_MODELS=d\n" + CALLER,
        f'.env:1  PROVIDER_B_KIND: "azure" is not {ALL_KINDS}: write openai, and set PROVIDER_B_BASE_URL to '
        "https://<resource>.openai.azure.com/openai/v1",
        "PROVIDER_B_KIND=openai\nPROVIDER_B_MODELS=d\nPROVIDER_B_BASE_URL=https://x.openai.azure.com/openai/v1\n" + CALLER,
    ),
    Mistake(
        "a vendor as a kind", "PROVIDER_B_KIND=claude\nPROVIDER_B_MODELS=claude-x\n" + CALLER,
        f'.env:1  PROVIDER_B_KIND: "claude" is not {ALL_KINDS}: write anthropic',
        "PROVIDER_B_KIND=anthropic\nPROVIDER_B_API_KEYS=k\nPROVIDER_B_MODELS=claude-x\n" + CALLER,
    ),
    Mistake(
        "Azure's variable", CALLER + "AZURE_OPENAI_ENDPOINT=https://x.openai.azure.com\n",
        ".env:2  AZURE_OPENAI_ENDPOINT: unknown variable; in this relay the setting is PROVIDER_AZURE_BASE_URL="
        "https://<resource>.openai.azure.com/openai/v1; also set PROVIDER_AZURE_KIND=openai and PROVIDER_AZURE_MODELS",
        CALLER + "PROVIDER_AZURE_BASE_URL=https://x.openai.azure.com/openai/v1\nPROVIDER_AZURE_KIND=openai\nPROVIDER_AZURE_MODELS=d\n",
    ),
    Mistake(
        "Azure's older path", OPENAI.replace("http://127.0.0.1:9/v1", "https://x.openai.azure.com/openai/deployments/d"),
        ".env:2  PROVIDER_B_BASE_URL: has not the path of Azure's API; write https://x.openai.azure.com/openai/v1, and name the "
        "deployments in PROVIDER_B_MODELS",
        OPENAI.replace("http://127.0.0.1:9/v1", "https://x.openai.azure.com/openai/v1"), is_warning=True,
    ),
    Mistake(
        "query of a URL", OPENAI.replace(":9/v1", ":9/v1?api-version=1"),
        '.env:2  PROVIDER_B_BASE_URL: "http://127.0.0.1:9/v1?..." is not a URL such as https://host or https://host/path: '
        "a base URL has no query; remove the part from ? on",
        OPENAI,
    ),
    Mistake(
        "bytes of Latin 1", ECHO + "PROVIDER_A_LABEL=caf\udce9\n",
        ".env:3  PROVIDER_A_LABEL: the value is not UTF-8 text; save the file as UTF-8", ECHO + "PROVIDER_A_LABEL=cafe\n",
    ),
    Mistake(
        "host by name", "HOST=relay.local\n",
        '.env:1  HOST: "relay.local" is not an IP address such as 127.0.0.1, or 0.0.0.0 for all of this machine', "HOST=127.0.0.1\n",
    ),
]  # fmt: skip

NAMES = "is not a list of name or alias=upstream, each alias once, separated by commas"
CALLED = OPENAI.replace("PROVIDER_B_MODELS=llama", "PROVIDER_B_MODELS={}")


def written(name: str, file: str, value: str, what: str, do: str, mended: str, line: str = "", **more: object) -> Mistake:
    """A mistake in the value of the last line of a file, which has `{}` in its place. The message ends in `what: do`."""
    lines = file.format(value).splitlines()
    at, setting = next((at, found.partition("=")[0]) for at, found in enumerate(file.splitlines(), 1) if "{}" in found)
    text = line or f'"{value}" {what}: {do}'
    assert len(lines) == len(file.splitlines())
    return Mistake(name, file.format(value), f".env:{at}  {setting}: {text}", file.format(mended), **more)  # type: ignore[arg-type]


PRICED = OPENAI + "PROVIDER_B_COST={}\n"
WRITTEN = [
    written("hyphen", CALLED, "fast=gpt\u20114o", NAMES, "it has U+2011, which only looks like -; write -", "fast=gpt-4o"),
    written("wide slash", ECHO + "RATE_LIMIT={}\n", "60\uff0fminute", LIMITS, "it has the wide character U+FF0F; write /", "60/minute"),
    written("space that cannot be seen", CALLED, "gpt-\u200b4o", NAMES, "it has the invisible character U+200B; remove it", "gpt-4o"),
    Mistake(
        "typographic quotes", f"PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN=\u201c{TOKEN}\u201d\n",
        f'.env:2  KEY_TEAM_TOKEN: {VISIBLE}: it has U+201C, which only looks like "; remove it', ECHO,
    ),
    Mistake(
        "YAML", ECHO + "PORT: 5002\n", ".env:3  this line is not NAME=value: write = in place of : behind the name", ECHO + "PORT=5002\n",
    ),
    Mistake(
        "invisible character in a name", ECHO + "PO\u200bRT=5002\n",
        ".env:3  this line is not NAME=value: it has the invisible character U+200B; remove it", ECHO + "PORT=5002\n",
    ),
    written("list as JSON", CALLED, '["a","b"]', NAMES, "write names with commas, without brackets and quotes", "a,b"),
    written("semicolons", CALLED, "fast=a;smart=b", NAMES, "write a comma between two of them; ; stands between limits", "fast=a,smart=b"),
    written("spaces between models", CALLED, "a b", NAMES, "write a comma between two names", "a,b"),
    written("commas between limits", ECHO + "RATE_LIMIT={}\n", "60/minute, 2000/minute", LIMITS, "write ; between two limits", "60/minute;50/second"),
    written("thousands by k", ECHO + "RATE_LIMIT={}\n", "100k tokens/minute", LIMITS, "write 100000", "100000 tokens/minute"),
    written("more thousands than any number has", ECHO + "RATE_LIMIT={}\n", "9999999999999999k/minute", LIMITS, "write 9999999999999999000", "99/minute"),
    written("grouped digits", ECHO + "RATE_LIMIT={}\n", "1,000,000 tokens/minute", LIMITS, "write 1000000, without a comma", "1000000 tokens/minute"),
    written("decimal comma", PRICED.format("1/2 per million") + "RATE_LIMIT={}\n", "5,50 usd/minute", LIMITS, "write 5.50, without a comma", "5.50 usd/minute"),
    written("month", PRICED.format("1/2 per million") + "RATE_LIMIT={}\n", "100 usd/2 months", LIMITS, "write month for one month of the calendar, or 30 days", "100 usd/month"),
    written("limit of nothing", ECHO + "RATE_LIMIT={}\n", "0/minute", LIMITS, "a limit of 0 lets nobody in; remove the key in its place, or write off", "off"),
    written(
        "dollar signs", PRICED, "$0.01 / $0.06",
        "is not a price such as 0.002, 0.001/0.004 or 0.001/0.004/0.0005, up to 1000 dollars, with at most nine decimals",
        "write dollars without $", "0.01/0.06",
    ),
    written(
        "price of a million", PRICED, "0.15/0.60", "0.15/0.60 is 150/600 dollars for a million tokens", "write `0.15/0.60 per million`",
        "0.15/0.60 per million", is_warning=True,
        line="0.15/0.60 is 150/600 dollars for a million tokens; if the vendor lists 0.15/0.60 per million, write `0.15/0.60 per million`, and "
        "if it is meant so, `0.15/0.60 per 1000`",
    ),
    written(
        "price of one token", PRICED, "0.00000015", "0.00000015 is 0.00015/0.00015 dollars for a million tokens",
        "write `0.15/0.15 per million`", "0.15/0.15 per million", is_warning=True,
        line="0.00000015 is 0.00015/0.00015 dollars for a million tokens; if 0.00000015 is for one token, write `0.15/0.15 per million`, and if "
        "it is meant so, `0.00000015 per 1000`",
    ),
    Mistake(
        "price by the vendor's name", CALLED.format("fast=gpt-4o-mini") + "PROVIDER_B_COSTS=gpt-4o-mini=0.001\n",
        '.env:5  PROVIDER_B_COSTS: PROVIDER_B_MODELS does not contain "gpt-4o-mini"; did you mean "fast"?',
        CALLED.format("fast=gpt-4o-mini") + "PROVIDER_B_COSTS=fast=0.001\n",
    ),
    written(
        "Redis", ECHO + "MEMCACHED_HOST={}\n", "redis://cache:6379", "is not the name or address of a host",
        "counters are kept in memcached; write a memcached server without ://", "cache",
    ),
    Mistake(
        "database of SQLAlchemy", ECHO + "USAGE_DATABASE_URL=postgresql+asyncpg://u:p@h/db\n",
        ".env:3  USAGE_DATABASE_URL: the value is not a URL such as postgres://user:password@host:5432/database, with %40 for an @ in the "
        "password: write postgres:// in place of postgresql+asyncpg://",
        ECHO + "USAGE_DATABASE_URL=postgres://u:p@h/db\n",
    ),
    Mistake(
        "database of SQLite", ECHO + "USAGE_DATABASE_URL=sqlite:///usage.db\n",
        ".env:3  USAGE_DATABASE_URL: the value is not a URL such as postgres://user:password@host:5432/database, with %40 for an @ in the "
        "password: for SQLite set DATA_DIR to a folder in its place",
        ECHO + "DATA_DIR={folder}/data\n",
    ),
    written(
        "port in the address", ECHO + "HOST={}\n", "127.0.0.1:5002", "is not an IP address such as 127.0.0.1, or 0.0.0.0 for all of this machine",
        "set the port separately: HOST=127.0.0.1 and PORT=5002", "127.0.0.1",
    ),
    written(
        "origin with a slash", ECHO + "CORS_ORIGINS={}\n", "https://chat.example.org/",
        "is not * or a list of origins such as https://chat.example.org", "write an origin without the / at its end", "https://chat.example.org",
    ),
    Mistake(
        "YAML of a caller", f"PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN: {TOKEN}\nKEY_TEAM_RATE_LIMIT=5/minute\n",
        ".env:2  KEY_TEAM_TOKEN: this line is not NAME=value: write = in place of : behind the name",
        ECHO + "KEY_TEAM_RATE_LIMIT=5/minute\n",
    ),
    written(
        "a caller's placeholder", "PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN={}\n", "sk-choose-something-long", "is a placeholder",
        "`openssl rand -hex 24` makes another", TOKEN, is_warning=True,
        line="is a placeholder, as in the README or docs, which anybody can read; `openssl rand -hex 24` makes another",
    ),
    written(
        "a vendor's placeholder", OPENAI + "PROVIDER_B_API_KEYS={}\n", "your-key-of-openai", "is a placeholder",
        "write a key of the vendor's", "sk-proj-0123456789", is_warning=True,
        line="is a placeholder, as in the README or docs, which anybody can read; write a key of the vendor's",
    ),
    Mistake(
        "all keys off", ECHO + "KEY_TEAM_ENABLED=false\n",
        ".env:2  KEY_TEAM_TOKEN: all keys are off (ENABLED), so nobody may use the providers' keys", ECHO, is_warning=True,
    ),
    Mistake(
        "key with quotes in a file", "PROVIDER_A_KIND=echo\nFILE_ID_SECRET=0123456789abcdef\nKEY_TEAM_TOKEN_FILE=quoted\n",
        ".env:3  KEY_TEAM_TOKEN: begins with a quote, a bracket or a setting's name, which then are parts of it; write only the value",
        ECHO, is_warning=True,
    ),
    written(
        "a header with the caller's key", ECHO + "KEY_TEAM_RATE_LIMIT_USER=5/day\nRATE_LIMIT_USER_FROM={}\n", "authorization",
        "has the caller's key", "write a field or another header", "user",
        line="authorization has the caller's key, which is no user's id; write a field or another header",
    ),
    written(
        "one label of two providers", OPENAI + "PROVIDER_C_KIND=echo\nPROVIDER_C_LABEL={}\nPROVIDER_B_LABEL=one\n", "one",
        '"one" is also the label of PROVIDER_B', "write another label", "two", is_warning=True,
        line='"one" is also the label of PROVIDER_B, so responses and metrics do not tell them apart; write another label',
    ),
    written(
        "milliseconds", OPENAI + "PROVIDER_B_TIMEOUT={}\n", "30000", "30000 is in seconds, 8 h 20 min", "write 30000ms", "30000ms", is_warning=True,
        line="30000 is in seconds, 8 h 20 min; write 30000ms for milliseconds, else 30000s",
    ),
    written(
        "everybody at the operator's cost", "HOST=0.0.0.0\n" + OPENAI + "PROVIDER_B_API_KEYS=sk-proj-0123456789\nANONYMOUS_MODELS={}\n", "all",
        "everybody who reaches 0.0.0.0:5001 may use PROVIDER_B_API_KEYS", "KEY_<NAME>_TOKEN", "", is_warning=True,
        line="everybody who reaches 0.0.0.0:5001 may use PROVIDER_B_API_KEYS without a key; set HOST=127.0.0.1, or KEY_<NAME>_TOKEN in "
        "place of ANONYMOUS_MODELS",
    ),
    Mistake(
        "key that is wrapped", "PROVIDER_A_KIND=echo\nFILE_ID_SECRET=0123456789abcdef\nKEY_TEAM_TOKEN_FILE=wrapped\n",
        ".env:3  KEY_TEAM_TOKEN: each of its 2 lines is a key of its own; if they are one key, write it on one line", ECHO,
        is_warning=True,
    ),
    written(
        "Anthropic's key for another vendor", OPENAI + "PROVIDER_B_API_KEYS={}\n", "sk-ant-0123456789abcdef", "begins with sk-ant-",
        "set PROVIDER_B_KIND=anthropic", "sk-proj-0123456789", is_warning=True,
        line="begins with sk-ant-, as keys of another vendor do; set PROVIDER_B_KIND=anthropic, or write a key for http://127.0.0.1:9/v1",
    ),
    unknown(
        "dot in a NAME", "PROVIDER_A.B_KIND=echo\n" + CALLER,
        ".env:1  PROVIDER_A.B_KIND: unknown variable; did you mean PROVIDER_A_B_KIND? Names consist of A-Z, 0-9 and _.", "PROVIDER_A_B_KIND",
    ),
    Mistake(
        "space in a NAME", "PROVIDER_A B_KIND=echo\n" + CALLER, ".env:1  this line is not NAME=value: names have only A-Z, 0-9 and _",
        ECHO,
    ),
    Mistake(
        "a batch file", "set PROVIDER_A_KIND=echo\n" + CALLER,
        ".env:1  PROVIDER_A_KIND: this line is not NAME=value: remove set in front of the name", ECHO,
    ),
    Mistake(
        "PowerShell", '$env:PROVIDER_A_KIND="echo"\n' + CALLER,
        ".env:1  PROVIDER_A_KIND: this line is not NAME=value: remove $env: in front of the name", 'PROVIDER_A_KIND="echo"\n' + CALLER,
    ),
    Mistake(
        "keys on two lines", OPENAI + "PROVIDER_B_API_KEYS=sk-1,\nsk-2\n",
        ".env:6  this line is not NAME=value: the value of PROVIDER_B_API_KEYS ends at the end of its line; write all of it on one line",
        OPENAI + "PROVIDER_B_API_KEYS=sk-1,sk-2\n",
    ),
    Mistake(
        "aliases on two lines", OPENAI.replace("=llama", "=a=llama,\n  b=qwen"),
        ".env:4  this line is not NAME=value: the value of PROVIDER_B_MODELS ends at the end of its line; write all of it on one line",
        OPENAI.replace("=llama", "=a=llama,b=qwen"),
    ),
    Mistake(
        "backslash between lines", OPENAI.replace("=llama", "=llama,\\\n  qwen, \\\n  mistral") + "PROVIDER_B_API_KEYS=k\\\n",
        ".env:3  PROVIDER_B_MODELS: \\ at the end of a line does not continue it; write the whole value on one line",
        OPENAI.replace("=llama", "=llama,qwen,mistral"),
    ),
    Mistake(
        "JSON", '{\n  "PORT": "5001"\n}\n', ".env  this file is JSON; write each setting on a line of its own, as NAME=value",
        "PORT=5001\n",
    ),
    Mistake(
        "quote that never ends", 'PROVIDER_B_KIND=openai\nPROVIDER_B_API_KEYS="sk-1\nPROVIDER_B_MODELS=llama\n' + CALLER,
        '.env:2  PROVIDER_B_API_KEYS: the closing " is missing',
        'PROVIDER_B_KIND=openai\nPROVIDER_B_API_KEYS="sk-1"\nPROVIDER_B_MODELS=llama\n' + CALLER,
    ),
    unknown(
        "a word too many", ECHO + "KEY_TEAM_CHAT_RATE_LIMIT=5/minute\n",
        ".env:3  KEY_TEAM_CHAT_RATE_LIMIT: unknown variable; did you mean KEY_TEAM_RATE_LIMIT_CHAT?", "KEY_TEAM_RATE_LIMIT_CHAT",
    ),
    unknown(
        "a word too many of a provider", OPENAI + "PROVIDER_B_REQUEST_TIMEOUT=30\n",
        ".env:5  PROVIDER_B_REQUEST_TIMEOUT: unknown variable; did you mean PROVIDER_B_TIMEOUT?", "PROVIDER_B_TIMEOUT",
    ),
    unknown(
        "a word too many of a group", ECHO + "KEY_TEAM_GROUP=eng\nGROUP_ENG_MONTHLY_RATE_LIMIT=5/month\n",
        ".env:4  GROUP_ENG_MONTHLY_RATE_LIMIT: unknown variable; did you mean GROUP_ENG_RATE_LIMIT?", "GROUP_ENG_RATE_LIMIT",
    ),
    unknown(
        "a word too many at the end", ECHO + "KEY_TEAM_MODELS_ALLOWED=echo\n",
        ".env:3  KEY_TEAM_MODELS_ALLOWED: unknown variable; did you mean KEY_TEAM_MODELS?", "KEY_TEAM_MODELS",
    ),
    written("arrow between names", CALLED, "fast->gpt-4o", NAMES, "write = between the callers' name and the vendor's name", "fast=gpt-4o"),
    written(
        "OpenAI's key for Anthropic", OPENAI.replace("openai", "anthropic") + "PROVIDER_B_API_KEYS={}\n", "sk-proj-0123456789",
        "begins with sk-proj-", "set PROVIDER_B_KIND=openai", "sk-ant-0123456789", is_warning=True,
        line="begins with sk-proj-, as keys of another vendor do; set PROVIDER_B_KIND=openai, or write a key for http://127.0.0.1:9",
    ),
    written(
        "Groq's key for OpenAI", "PROVIDER_B_KIND=openai\nPROVIDER_B_MODELS=gpt-x\nPROVIDER_B_API_KEYS={}\n" + CALLER, "gsk_0123456789",
        "begins with gsk_", "set PROVIDER_B_BASE_URL=https://api.groq.com/openai/v1", "sk-0123456789", is_warning=True,
        line="begins with gsk_, as keys of another vendor do; set PROVIDER_B_BASE_URL=https://api.groq.com/openai/v1, or write a key for "
        "https://api.openai.com/v1",
    ),
    written(
        "a vendor's key as a caller's", "PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN={}\n", "sk-proj-0123456789", "begins with sk-proj-",
        "`openssl rand -hex 24`", TOKEN, is_warning=True,
        line="begins with sk-proj-, as keys of a vendor do, and callers must not have these; `openssl rand -hex 24` makes a key of the "
        "relay's own",
    ),
    written(
        "Groq's URL", OPENAI.replace("http://127.0.0.1:9/v1", "{}"), "https://api.groq.com/v1", "has not the path of this vendor's API",
        "write https://api.groq.com/openai/v1", "https://api.groq.com/openai/v1", is_warning=True,
        line="has not the path of this vendor's API; write https://api.groq.com/openai/v1",
    ),
    written(
        "Gemini's URL for the other kind", OPENAI.replace("openai", "gemini").replace("http://127.0.0.1:9/v1", "{}") + "PROVIDER_B_API_KEYS=k\n",
        "https://generativelanguage.googleapis.com/v1beta/openai/", "is the URL of Gemini's API for the kind openai",
        "write https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com", is_warning=True,
        line="is the URL of Gemini's API for the kind openai; set PROVIDER_B_KIND=openai, or write https://generativelanguage.googleapis.com",
    ),
    written(
        "price of a token", PRICED, "0.15/0.60 per token",
        "is not a price such as 0.002, 0.001/0.004 or 0.001/0.004/0.0005, up to 1000 dollars, with at most nine decimals",
        'write "per million" or "per 1000" once, behind the first price', "0.15/0.60 per 1M tokens",
    ),
    Mistake(
        "quotes in Compose's environment", "", f"environment  KEY_TEAM_TOKEN: {ENV_FILE}", "",
        {"PROVIDER_A_KIND": "echo", "KEY_TEAM_TOKEN": f'"{TOKEN}"'}, {"PROVIDER_A_KIND": "echo", "KEY_TEAM_TOKEN": TOKEN},
        is_warning=True,
    ),
    written(
        "a vendor's key as its URL", OPENAI.replace("http://127.0.0.1:9/v1", "{}"), "sk-proj-0123456789", "is not a URL", "https://host/path",
        "http://127.0.0.1:9/v1", line="the value is not a URL such as https://host or https://host/path",
    ),
    written(
        "a URL as a key", OPENAI + "PROVIDER_B_API_KEYS={}\n", "https://127.0.0.1:9/v1", "is a URL", "write only the key", "k-0123456789",
        line="is a URL, but should be a key; write only the key", is_warning=True,
    ),
    written(
        "the path of a key", OPENAI + "PROVIDER_B_API_KEYS={}\n", "{folder}/written", "is the path of a file", "set PROVIDER_B_API_KEYS_FILE",
        "k-0123456789", line="is the path of a file, which is not read; set PROVIDER_B_API_KEYS_FILE to it", is_warning=True,
    ),
    written(
        "a secret of Docker that is missing", "PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN={}\n", "/run/secrets/team", "is the path of a file",
        "set KEY_TEAM_TOKEN_FILE", TOKEN, line="is the path of a file, which is not read; set KEY_TEAM_TOKEN_FILE to it", is_warning=True,
    ),
    written(
        "keys as JSON", OPENAI + "PROVIDER_B_API_KEYS={}\n", '["k-0123456789"]', "begins with a quote, a bracket", "write only the value",
        "k-0123456789", is_warning=True,
        line="begins with a quote, a bracket or a setting's name, which then are parts of it; write only the value",
    ),
    written(
        "a placeholder of other docs", OPENAI + "PROVIDER_B_API_KEYS={}\n", "YOUR_API_KEY", "is a placeholder", "write a key of the vendor's",
        "k-0123456789", line="is a placeholder, as in the README or docs, which anybody can read; write a key of the vendor's", is_warning=True,
    ),
    written(
        "one key twice", OPENAI + "PROVIDER_B_API_KEYS={}\n", "k-1,k-1", "contains the same key twice", "remove one", "k-1,k-2", is_warning=True,
        line="contains the same key twice; remove one, KEY_WEIGHTS can give it more calls",
    ),
    written(
        "semicolon between prices", PRICED.replace("_COST=", "_COSTS="), "llama=0.001;b=0.002",
        "is not a list of model=price, each model once, such as gpt-4o=0.0025/0.01/0.00125",
        "write a comma between two of them; ; stands between limits", "llama=0.001",
    ),
    written(
        "facts about no model", OPENAI + "PROVIDER_B_MODEL_INFO={}\n", "lama=context:128000", "does not contain", '"llama"',
        "llama=context:128000", line='PROVIDER_B_MODELS does not contain "lama"; did you mean "llama"?',
    ),
    written(
        "proxies that are everybody", ECHO + "TRUSTED_PROXIES={}\n", "10.0.0.0/8,0.0.0.0/0", "lets each client choose its own address",
        "write the networks of your proxies", "10.0.0.0/8", is_warning=True,
        line="0.0.0.0/0 lets each client choose its own address by X-Forwarded-For; write the networks of your proxies",
    ),
    written(
        "semicolon between networks", ECHO + "TRUSTED_PROXIES={}\n", "10.0.0.0/8;10.1.0.0/16", "is not a list of networks such as 10.0.0.0/8",
        "write a comma between two of them; ; stands between limits", "10.0.0.0/8,10.1.0.0/16",
    ),
    written(
        "public URL of the API", ECHO + "PUBLIC_URL={}\n", "https://relay.example.org/v1/", "ends in /v1", "write https://relay.example.org",
        "https://relay.example.org", line="ends in /v1, which the relay adds itself; write https://relay.example.org", is_warning=True,
    ),
    written(
        "port of no memcached", ECHO + "MEMCACHED_PORT={}\n", "11212", "has no effect", "MEMCACHED_HOST", "11211\nMEMCACHED_HOST=cache",
        line="has no effect without MEMCACHED_HOST", is_warning=True,
    ),
    written(
        "queue for no capacity", ECHO + "QUEUE_TIMEOUT={}\n", "20s", "has no effect", "CONCURRENCY", "20s\nPROVIDER_A_CONCURRENCY=5",
        line="has no effect without a capacity, such as PROVIDER_<NAME>_CONCURRENCY", is_warning=True,
    ),
    written(
        "lifetime of no cache", ECHO + "CACHE_TTL={}\n", "1h", "has no effect", "CACHE", "1h\nCACHE=true",
        line="has no effect without CACHE", is_warning=True,
    ),
    written(
        "vendor without TLS", OPENAI.replace("http://127.0.0.1:9", "{}"), "http://llm.example.org", "unencrypted",
        "write https://llm.example.org/v1", "https://llm.example.org", is_warning=True,
        line="sends keys and prompts unencrypted; write https://llm.example.org/v1",
    ),
    written(
        "OpenAI's URL for another kind", OPENAI.replace("openai", "anthropic").replace("http://127.0.0.1:9/v1", "{}") + "PROVIDER_B_API_KEYS=k\n",
        "https://api.openai.com/v1", "is the URL of an API of the kind openai", "set PROVIDER_B_KIND=openai", "https://api.anthropic.com",
        line="is the URL of an API of the kind openai; set PROVIDER_B_KIND=openai", is_warning=True,
    ),
    Mistake(
        "another form of comments", "// the relay of the team\n" + ECHO, ".env:1  this line is not NAME=value: a comment begins with #",
        ECHO,
    ),
    Mistake(
        "sections", "[relay]\n" + ECHO, ".env:1  this line is not NAME=value: a settings file has no sections; remove this line", ECHO,
    ),
    written(
        "a pattern among names", CALLED, "gpt-4*", NAMES, "write whole names, or * alone for all models on the vendor's list", "gpt-4o",
    ),
    written(
        "all models", CALLED + "PROVIDER_B_API_KEYS=k-0123456789\n", "all", "is read as the name of a model", "write *", "*", is_warning=True,
        line='"all" is read as the name of a model; write * for all models',
    ),
    written(
        "model that other settings exclude", "ONE_MIN_API_KEYS=v-0123456789\nPERMIT_MODELS_FROM_SUBSET_ONLY=true\n" + CALLER + "KEY_TEAM_MODELS={}\n",
        "gpt-4.1", "is not served", "remove the model", "gpt-4o", is_warning=True,
        line='"gpt-4.1" is not served, because of a weight of 0 or PERMIT_MODELS_FROM_SUBSET_ONLY; correct these settings, or remove the model',
    ),
    written(
        "a document of the issuer", "PROVIDER_A_KIND=echo\nFILE_ID_SECRET=0123456789abcdef\nKEY_A_JWT_AUDIENCE=relay\nKEY_A_JWT_ISSUER={}\n",
        "https://id.example.org/.well-known/openid-configuration", "is the URL of a document", "write https://id.example.org",
        "https://id.example.org", line="is the URL of a document of the issuer; write https://id.example.org",
    ),
]
