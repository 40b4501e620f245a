import Shared
import Testing

/// Tests of mistakes in settings: each has one message, which says what is wrong, where, and what to do; with what follows from
/// it, the message is gone.
@Suite struct MistakesTests {
    private static let caller = "KEY_TEAM_TOKEN=sk-relay-for-tests-0001\n"
    private static let echo = "PROVIDER_A_KIND=echo\n" + caller
    private static let openAI = """
        PROVIDER_B_KIND=openai
        PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1
        PROVIDER_B_MODELS=llama

        """ + caller
    private static let grouped = """
        \(echo)PROVIDER_B_KIND=echo
        PROVIDER_B_MODELS=other
        KEY_TEAM_MODELS=echo
        KEY_TEAM_GROUP=eng

        """

    /// Two lines a mistake: the file with it and the corrected file, then the message.
    private static let table = #"""
        RATE_LIMT=5/minute⏎ » RATE_LIMIT=5/minute⏎
        problem .env:1  RATE_LIMT: unknown variable; did you mean RATE_LIMIT?
        {ECHO}PROVIDER_A_COST=0.001⏎RATE_LIMIT_TOTAL=$5/day⏎ » {ECHO}PROVIDER_A_COST=0.001⏎RATE_LIMIT_TOTAL=5 usd/day⏎
        problem .env:4  RATE_LIMIT_TOTAL: "$5/day" is not off or limits such as 60/minute;2000/day: a limit begins with a number, as in 60/minute; or 5 usd/day
        {ECHO}KEY_TEAM_MODELS=ecko⏎ » {ECHO}KEY_TEAM_MODELS=echo⏎
        warning .env:3  KEY_TEAM_MODELS: "ecko" matches no model of a provider that holds credentials; did you mean "echo"?
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:11434⏎PROVIDER_B_MODELS=llama⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:11434/v1⏎PROVIDER_B_MODELS=llama⏎{CALLER}
        warning .env:2  PROVIDER_B_BASE_URL: has no path, but most servers of the kind openai have one; did you mean http://127.0.0.1:11434/v1?
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1/chat/completions⏎PROVIDER_B_MODELS=llama⏎{CALLER} » {OPENAI}
        warning .env:2  PROVIDER_B_BASE_URL: ends in /chat/completions, which the relay adds itself; write http://127.0.0.1:9/v1
        {OPENAI}PROVIDER_B_API_KEYS="Bearer sk-1"⏎ » {OPENAI}PROVIDER_B_API_KEYS=sk-1⏎
        problem .env:5  PROVIDER_B_API_KEYS: the value is not a list of keys, each of 1 to 512 visible ASCII characters: it begins with "Bearer ", which is a part of the header and not of the key; write only the key
        {CALLER}OPENAI_API_KEY=sk-1⏎ » {CALLER}PROVIDER_OPENAI_API_KEYS=sk-1⏎PROVIDER_OPENAI_KIND=openai⏎PROVIDER_OPENAI_MODELS=gpt-4o⏎
        problem .env:2  OPENAI_API_KEY: unknown variable; in this relay the setting is PROVIDER_OPENAI_API_KEYS; also set PROVIDER_OPENAI_KIND=openai and PROVIDER_OPENAI_MODELS
        {ECHO}PROVIDER_A_COST=0,001⏎ » {ECHO}PROVIDER_A_COST=0.002⏎
        problem .env:3  PROVIDER_A_COST: "0,001" is not a price such as 0.002, 0.001/0.004 or 0.001/0.004/0.0005, up to 1000 dollars, with at most nine decimals
        PROVIDER_B_MODELS=llama⏎{CALLER} » PROVIDER_B_MODELS=llama⏎PROVIDER_B_KIND=openai⏎PROVIDER_B_API_KEYS=k⏎{CALLER}
        problem .env:1  PROVIDER_B_MODELS: PROVIDER_B_KIND is not set; set it to one of onemin, openai, anthropic, gemini, cohere, cloudflare, vertexai_gemini, vertexai_claude, echo
        FALLBACK_MODEL=openai/gpt-4o-mini⏎ » FALLBACK_MODEL=gpt-4o-mini⏎
        problem .env:1  FALLBACK_MODEL: no provider serves "openai/gpt-4o-mini"; did you mean "gpt-4o-mini"?
        PROVIDER_A_KIND=echo⏎ANONYMOUS_MODELS=Echo⏎ » PROVIDER_A_KIND=echo⏎ANONYMOUS_MODELS=echo⏎
        warning .env:2  ANONYMOUS_MODELS: "Echo" matches no model of a provider that holds credentials; did you mean "echo"?
        {ECHO}CACHE=true⏎CACHE_MODELS=ecko⏎ » {ECHO}CACHE=true⏎CACHE_MODELS=echo⏎
        warning .env:4  CACHE_MODELS: "ecko" matches no model of a provider that holds credentials; did you mean "echo"?
        {ECHO}PROVIDER_A_FEES=web_search=0.01⏎ » {ECHO}
        warning .env:3  PROVIDER_A_FEES: has no effect with the kind echo. This will be an error in the next release
        RATE_LIMIT_BY_MODEL=gtp-4o*=5/minute⏎ » RATE_LIMIT_BY_MODEL=gpt-4o*=5/minute⏎
        warning .env:1  RATE_LIMIT_BY_MODEL: "gtp-4o*" matches no model; did you mean "gpt-4o*"?
        {ECHO}PROVIDER_GROQ_KIND=echo⏎PROVIDERS=grok,a⏎ » {ECHO}PROVIDER_GROQ_KIND=echo⏎PROVIDERS=groq,a⏎
        problem .env:4  PROVIDERS: no provider "grok" is declared; did you mean "groq"?
        {OPENAI}PROVIDER_B_WEIGHTS=lama=2⏎ » {OPENAI}PROVIDER_B_WEIGHTS=llama=2⏎
        problem .env:5  PROVIDER_B_WEIGHTS: PROVIDER_B_MODELS does not contain "lama"; did you mean "llama"?
        {ECHO}RELAYS=2⏎ » {ECHO}RELAYS=2⏎USAGE_DATABASE_URL=postgres://relay@db/relay⏎
        warning .env:3  RELAYS: DATA_DIR is for one relay only; several share USAGE_DATABASE_URL (with Compose: deploy/postgres.yml)
        {OPENAI}PROVIDER_B_API_KEYS=${OPENAI_API_KEY}⏎ » {OPENAI}PROVIDER_B_API_KEYS=k$ey$1⏎
        warning .env:5  PROVIDER_B_API_KEYS: contains a variable after $, which the relay does not replace; write its value in its place
        {OPENAI}PROVIDER_B_API_KEYS=k-1;k-2⏎ » {OPENAI}PROVIDER_B_API_KEYS=k-1,k-2⏎
        warning .env:5  PROVIDER_B_API_KEYS: contains ;, which is a part of the key; write a comma between two keys
        PROVIDER_B_KIND=openai⏎PROVIDER_B_MODELS=gpt-x⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_API_KEYS=k⏎PROVIDER_B_MODELS=gpt-x⏎{CALLER}
        warning .env:1  PROVIDER_B_KIND: no key is set, and https://api.openai.com/v1 accepts no request without one; set PROVIDER_B_API_KEYS, or PROVIDER_B_PASSTHROUGH=true for keys of the callers
        PROVIDER_B_KIND=anthropic⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1/messages⏎PROVIDER_B_MODELS=llama⏎{CALLER} » PROVIDER_B_KIND=anthropic⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=llama⏎{CALLER}
        warning .env:2  PROVIDER_B_BASE_URL: ends in /messages, which the relay adds itself; write http://127.0.0.1:9/v1
        {ECHO}BUDGET_ALERT_URL=https://hooks.example.org/x⏎ » {ECHO}BUDGET_ALERT_URL=https://hooks.example.org/x⏎RATE_LIMIT=5 usd/day⏎PROVIDER_A_COST=0.001/0.004⏎
        warning .env:3  BUDGET_ALERT_URL: has no effect without a budget in dollars or credits, as RATE_LIMIT=5 usd/day
        {ECHO}PROVIDER_A_WEIGHT=0⏎ » {ECHO}
        warning .env:3  PROVIDER_A_WEIGHT: is 0 for the only provider, so no request is served; remove this line
        {ECHO}PROVIDER_A_WEIGHT=0⏎PROVIDER_B_KIND=echo⏎PROVIDER_B_WEIGHT=0⏎ » {ECHO}PROVIDER_B_KIND=echo⏎PROVIDER_B_WEIGHT=0⏎
        warning .env:3  PROVIDER_A_WEIGHT: is 0 for each provider, so no request is served; remove this line
        {ECHO}PROVIDER_B_KIND=echo⏎PROVIDER_B_MODELS=llama,qwen⏎PROVIDER_B_WEIGHTS=llama=0⏎ » {ECHO}PROVIDER_B_KIND=echo⏎PROVIDER_B_MODELS=llama,qwen⏎PROVIDER_A_MODELS=llama⏎PROVIDER_B_WEIGHTS=llama=0⏎
        warning .env:5  PROVIDER_B_WEIGHTS: "llama" has no weight above 0 at any provider, so no request for it is served; write a weight above 0, or remove the model
        {GROUPED}GROUP_ENG_MODELS=other⏎ » {GROUPED}GROUP_ENG_MODELS=other,echo⏎
        warning .env:6  KEY_TEAM_GROUP: has no model in common with the MODELS of the key and of its other groups, so it may use none; correct one of these lists
        {CALLER}ANTHROPIC_BASE_URL=https://api.anthropic.com⏎ » {CALLER}PROVIDER_ANTHROPIC_BASE_URL=https://api.anthropic.com⏎PROVIDER_ANTHROPIC_KIND=anthropic⏎PROVIDER_ANTHROPIC_MODELS=claude-sonnet-4-5⏎PROVIDER_ANTHROPIC_API_KEYS=k⏎
        problem .env:2  ANTHROPIC_BASE_URL: unknown variable; in this relay the setting is PROVIDER_ANTHROPIC_BASE_URL; also set PROVIDER_ANTHROPIC_KIND=anthropic and PROVIDER_ANTHROPIC_MODELS
        HTTPS_PROXY=http://proxy:3128⏎ » UPSTREAM_PROXY=http://proxy:3128⏎
        problem .env:1  HTTPS_PROXY: unknown variable; in this relay the setting is UPSTREAM_PROXY
        PROVIDER_A_KIND=echo⏎KEY_MY-TEAM_TOKEN=sk-relay-for-tests-0001⏎KEY_MY_TEAM_MODELS=all⏎ » PROVIDER_A_KIND=echo⏎KEY_MY_TEAM_TOKEN=sk-relay-for-tests-0001⏎KEY_MY_TEAM_MODELS=all⏎
        problem .env:2  KEY_MY-TEAM_TOKEN: unknown variable; did you mean KEY_MY_TEAM_TOKEN? Names consist of A-Z, 0-9 and _, without dashes.
        PROVIDER_A_KIND=echo⏎KEY__TOKEN=sk-relay-for-tests-0001⏎ » PROVIDER_A_KIND=echo⏎KEY_A_TOKEN=sk-relay-for-tests-0001⏎
        problem .env:2  KEY__TOKEN: unknown variable; the NAME is missing, as in KEY_A_TOKEN
        PROVIDER_A_KIND=echo⏎KEY_TOKEN=sk-relay-for-tests-0001⏎ » PROVIDER_A_KIND=echo⏎KEY_A_TOKEN=sk-relay-for-tests-0001⏎
        problem .env:2  KEY_TOKEN: unknown variable; the NAME is missing, as in KEY_A_TOKEN
        {ECHO}ADMIN_PASSWORD=password⏎ » {ECHO}ADMIN_PASSWORD=2b1c9d4e5f60718293a4b5c6d7e8f9012345678901234567⏎
        problem .env:3  ADMIN_PASSWORD: the value is not a password of 8 to 512 characters that is hard to guess: `openssl rand -hex 24` makes one
        PROVIDER_B_KIND=azure⏎PROVIDER_B_MODELS=d⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_MODELS=d⏎PROVIDER_B_BASE_URL=https://x.openai.azure.com/openai/v1⏎{CALLER}
        problem .env:1  PROVIDER_B_KIND: "azure" is not one of onemin, openai, anthropic, gemini, cohere, cloudflare, vertexai_gemini, vertexai_claude, echo: write openai, and set PROVIDER_B_BASE_URL to https://<resource>.openai.azure.com/openai/v1
        PROVIDER_B_KIND=claude⏎PROVIDER_B_MODELS=claude-x⏎{CALLER} » PROVIDER_B_KIND=anthropic⏎PROVIDER_B_API_KEYS=k⏎PROVIDER_B_MODELS=claude-x⏎{CALLER}
        problem .env:1  PROVIDER_B_KIND: "claude" is not one of onemin, openai, anthropic, gemini, cohere, cloudflare, vertexai_gemini, vertexai_claude, echo: write anthropic
        {CALLER}AZURE_OPENAI_ENDPOINT=https://x.openai.azure.com⏎ » {CALLER}PROVIDER_AZURE_BASE_URL=https://x.openai.azure.com/openai/v1⏎PROVIDER_AZURE_KIND=openai⏎PROVIDER_AZURE_MODELS=d⏎
        problem .env:2  AZURE_OPENAI_ENDPOINT: unknown variable; in this relay the setting is PROVIDER_AZURE_BASE_URL=https://<resource>.openai.azure.com/openai/v1; also set PROVIDER_AZURE_KIND=openai and PROVIDER_AZURE_MODELS
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=https://x.openai.azure.com/openai/deployments/d⏎PROVIDER_B_MODELS=llama⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=https://x.openai.azure.com/openai/v1⏎PROVIDER_B_MODELS=llama⏎{CALLER}
        warning .env:2  PROVIDER_B_BASE_URL: has not the path of Azure's API; write https://x.openai.azure.com/openai/v1, and name the deployments in PROVIDER_B_MODELS
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1?api-version=1⏎PROVIDER_B_MODELS=llama⏎{CALLER} » {OPENAI}
        problem .env:2  PROVIDER_B_BASE_URL: "http://127.0.0.1:9/v1?..." is not a URL such as https://host or https://host/path: a base URL has no query; remove the part from ? on
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=fast=gpt‑4o⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=fast=gpt-4o⏎{CALLER}
        problem .env:3  PROVIDER_B_MODELS: "fast=gpt‑4o" is not a list of name or alias=upstream, each alias once, separated by commas: it has U+2011, which only looks like -; write -
        {ECHO}RATE_LIMIT=60／minute⏎ » {ECHO}RATE_LIMIT=60/minute⏎
        problem .env:3  RATE_LIMIT: "60／minute" is not off or limits such as 60/minute;2000/day: it has the wide character U+FF0F; write /
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=gpt-​4o⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=gpt-4o⏎{CALLER}
        problem .env:3  PROVIDER_B_MODELS: "gpt-​4o" is not a list of name or alias=upstream, each alias once, separated by commas: it has the invisible character U+200B; remove it
        PROVIDER_A_KIND=echo⏎KEY_TEAM_TOKEN=“sk-relay-for-tests-0001”⏎ » {ECHO}
        problem .env:2  KEY_TEAM_TOKEN: the value is not a list of keys, each of 1 to 512 visible ASCII characters: it has U+201C, which only looks like "; remove it
        {ECHO}PO​RT=5002⏎ » {ECHO}PORT=5002⏎
        problem .env:3  this line is not NAME=value: it has the invisible character U+200B; remove it
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=["a","b"]⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=a,b⏎{CALLER}
        problem .env:3  PROVIDER_B_MODELS: "["a","b"]" is not a list of name or alias=upstream, each alias once, separated by commas: write names with commas, without brackets and quotes
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=fast=a;smart=b⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=fast=a,smart=b⏎{CALLER}
        problem .env:3  PROVIDER_B_MODELS: "fast=a;smart=b" is not a list of name or alias=upstream, each alias once, separated by commas: write a comma between two of them; ; stands between limits
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=a b⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=a,b⏎{CALLER}
        problem .env:3  PROVIDER_B_MODELS: "a b" is not a list of name or alias=upstream, each alias once, separated by commas: write a comma between two names
        {ECHO}RATE_LIMIT=60/minute, 2000/minute⏎ » {ECHO}RATE_LIMIT=60/minute;50/second⏎
        problem .env:3  RATE_LIMIT: "60/minute, 2000/minute" is not off or limits such as 60/minute;2000/day: write ; between two limits
        {ECHO}RATE_LIMIT=100k tokens/minute⏎ » {ECHO}RATE_LIMIT=100000 tokens/minute⏎
        problem .env:3  RATE_LIMIT: "100k tokens/minute" is not off or limits such as 60/minute;2000/day: write 100000
        {ECHO}RATE_LIMIT=9999999999999999k/minute⏎ » {ECHO}RATE_LIMIT=99/minute⏎
        problem .env:3  RATE_LIMIT: "9999999999999999k/minute" is not off or limits such as 60/minute;2000/day: write 9999999999999999000
        {ECHO}RATE_LIMIT=1,000,000 tokens/minute⏎ » {ECHO}RATE_LIMIT=1000000 tokens/minute⏎
        problem .env:3  RATE_LIMIT: "1,000,000 tokens/minute" is not off or limits such as 60/minute;2000/day: write 1000000, without a comma
        {OPENAI}PROVIDER_B_COST=1/2 per million⏎RATE_LIMIT=5,50 usd/minute⏎ » {OPENAI}PROVIDER_B_COST=1/2 per million⏎RATE_LIMIT=5.50 usd/minute⏎
        problem .env:6  RATE_LIMIT: "5,50 usd/minute" is not off or limits such as 60/minute;2000/day: write 5.50, without a comma
        {OPENAI}PROVIDER_B_COST=1/2 per million⏎RATE_LIMIT=100 usd/2 months⏎ » {OPENAI}PROVIDER_B_COST=1/2 per million⏎RATE_LIMIT=100 usd/month⏎
        problem .env:6  RATE_LIMIT: "100 usd/2 months" is not off or limits such as 60/minute;2000/day: write month for one month of the calendar, or 30 days
        {ECHO}RATE_LIMIT=0/minute⏎ » {ECHO}RATE_LIMIT=off⏎
        problem .env:3  RATE_LIMIT: "0/minute" is not off or limits such as 60/minute;2000/day: a limit of 0 lets nobody in; for no limit write off, and KEY_<NAME>_ENABLED=false refuses a caller
        {OPENAI}PROVIDER_B_COST=$0.01 / $0.06⏎ » {OPENAI}PROVIDER_B_COST=0.01/0.06⏎
        problem .env:5  PROVIDER_B_COST: "$0.01 / $0.06" is not a price such as 0.002, 0.001/0.004 or 0.001/0.004/0.0005, up to 1000 dollars, with at most nine decimals: write dollars without $
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=fast=gpt-4o-mini⏎{CALLER}PROVIDER_B_COSTS=gpt-4o-mini=0.001⏎ » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=fast=gpt-4o-mini⏎{CALLER}PROVIDER_B_COSTS=fast=0.001⏎
        problem .env:5  PROVIDER_B_COSTS: PROVIDER_B_MODELS does not contain "gpt-4o-mini"; did you mean "fast"?
        {ECHO}MEMCACHED_HOST=redis://cache:6379⏎ » {ECHO}MEMCACHED_HOST=cache⏎
        problem .env:3  MEMCACHED_HOST: "redis://cache:6379" is not the name or address of a host: counters are kept in memcached; write a memcached server without ://
        {ECHO}USAGE_DATABASE_URL=postgresql+asyncpg://u:p@h/db⏎ » {ECHO}USAGE_DATABASE_URL=postgres://u:p@h/db⏎
        problem .env:3  USAGE_DATABASE_URL: the value is not a URL such as postgres://user:password@host:5432/database, with %40 for an @ in the password: write postgres:// in place of postgresql+asyncpg://
        {ECHO}HOST=127.0.0.1:5002⏎ » {ECHO}HOST=127.0.0.1⏎
        problem .env:3  HOST: "127.0.0.1:5002" is not an IP address such as 127.0.0.1, or 0.0.0.0 for all of this machine: set the port separately: HOST=127.0.0.1 and PORT=5002
        {ECHO}CORS_ORIGINS=https://chat.example.org/⏎ » {ECHO}CORS_ORIGINS=https://chat.example.org⏎
        problem .env:3  CORS_ORIGINS: "https://chat.example.org/" is not * or a list of origins such as https://chat.example.org: write an origin without the / at its end
        PROVIDER_A_KIND=echo⏎KEY_TEAM_TOKEN: sk-relay-for-tests-0001⏎KEY_TEAM_RATE_LIMIT=5/minute⏎ » {ECHO}KEY_TEAM_RATE_LIMIT=5/minute⏎
        problem .env:2  KEY_TEAM_TOKEN: this line is not NAME=value: write = in place of : behind the name
        PROVIDER_A_KIND=echo⏎KEY_TEAM_TOKEN=sk-choose-something-long⏎ » {ECHO}
        warning .env:2  KEY_TEAM_TOKEN: is a placeholder, as in the README or docs, which anybody can read; `openssl rand -hex 24` makes another
        {OPENAI}PROVIDER_B_API_KEYS=your-key-of-openai⏎ » {OPENAI}PROVIDER_B_API_KEYS=sk-proj-0123456789⏎
        warning .env:5  PROVIDER_B_API_KEYS: is a placeholder, as in the README or docs, which anybody can read; write a key of the vendor's
        {ECHO}KEY_TEAM_ENABLED=false⏎ » {ECHO}
        warning .env:2  KEY_TEAM_TOKEN: all keys are off (ENABLED), so nobody may use the providers' keys
        {ECHO}KEY_TEAM_RATE_LIMIT_USER=5/day⏎RATE_LIMIT_USER_FROM=authorization⏎ » {ECHO}KEY_TEAM_RATE_LIMIT_USER=5/day⏎RATE_LIMIT_USER_FROM=user⏎
        problem .env:4  RATE_LIMIT_USER_FROM: authorization has the caller's key, which is no user's id; write a field or another header
        {OPENAI}PROVIDER_C_KIND=echo⏎PROVIDER_C_LABEL=one⏎PROVIDER_B_LABEL=one⏎ » {OPENAI}PROVIDER_C_KIND=echo⏎PROVIDER_C_LABEL=two⏎PROVIDER_B_LABEL=one⏎
        warning .env:6  PROVIDER_C_LABEL: "one" is also the label of PROVIDER_B, so reports and model lists do not tell them apart; write another label
        {OPENAI}PROVIDER_B_TIMEOUT=30000⏎ » {OPENAI}PROVIDER_B_TIMEOUT=30000ms⏎
        warning .env:5  PROVIDER_B_TIMEOUT: 30000 is in seconds, 8 h 20 min; write 30000ms for milliseconds, else 30000s
        {OPENAI}PROVIDER_B_API_KEYS=sk-ant-0123456789abcdef⏎ » {OPENAI}PROVIDER_B_API_KEYS=sk-proj-0123456789⏎
        warning .env:5  PROVIDER_B_API_KEYS: begins with sk-ant-, as keys of another vendor do; set PROVIDER_B_KIND=anthropic, or write a key for http://127.0.0.1:9/v1
        PROVIDER_A.B_KIND=echo⏎{CALLER} » PROVIDER_A_B_KIND=echo⏎{CALLER}
        problem .env:1  PROVIDER_A.B_KIND: unknown variable; did you mean PROVIDER_A_B_KIND? Names consist of A-Z, 0-9 and _.
        set {ECHO} » {ECHO}
        problem .env:1  PROVIDER_A_KIND: this line is not NAME=value: remove set in front of the name
        $env:PROVIDER_A_KIND="echo"⏎{CALLER} » PROVIDER_A_KIND="echo"⏎{CALLER}
        problem .env:1  PROVIDER_A_KIND: this line is not NAME=value: remove $env: in front of the name
        {OPENAI}PROVIDER_B_API_KEYS=sk-1,⏎sk-2⏎ » {OPENAI}PROVIDER_B_API_KEYS=sk-1,sk-2⏎
        problem .env:6  this line is not NAME=value: the value of PROVIDER_B_API_KEYS ends at the end of its line; write all of it on one line
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=a=llama,⏎  b=qwen⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=a=llama,b=qwen⏎{CALLER}
        problem .env:4  this line is not NAME=value: the value of PROVIDER_B_MODELS ends at the end of its line; write all of it on one line
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=llama,\⏎  qwen, \⏎  mistral⏎{CALLER}PROVIDER_B_API_KEYS=k\⏎ » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=llama,qwen,mistral⏎{CALLER}
        problem .env:3  PROVIDER_B_MODELS: \ at the end of a line does not continue it; write the whole value on one line
        {⏎  "PORT": "5001"⏎}⏎ » PORT=5001⏎
        problem .env  this file is JSON; write each setting on a line of its own, as NAME=value
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=fast->gpt-4o⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=fast=gpt-4o⏎{CALLER}
        problem .env:3  PROVIDER_B_MODELS: "fast->gpt-4o" is not a list of name or alias=upstream, each alias once, separated by commas: write = between the callers' name and the vendor's name
        PROVIDER_B_KIND=openai⏎PROVIDER_B_MODELS=gpt-x⏎PROVIDER_B_API_KEYS=gsk_0123456789⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_MODELS=gpt-x⏎PROVIDER_B_API_KEYS=sk-0123456789⏎{CALLER}
        warning .env:3  PROVIDER_B_API_KEYS: begins with gsk_, as keys of another vendor do; set PROVIDER_B_BASE_URL=https://api.groq.com/openai/v1, or write a key for https://api.openai.com/v1
        PROVIDER_A_KIND=echo⏎KEY_TEAM_TOKEN=sk-proj-0123456789⏎ » {ECHO}
        warning .env:2  KEY_TEAM_TOKEN: begins with sk-proj-, as keys of a vendor do, and callers must not have these; `openssl rand -hex 24` makes a key of the relay's own
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=https://api.groq.com/v1⏎PROVIDER_B_MODELS=llama⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=https://api.groq.com/openai/v1⏎PROVIDER_B_MODELS=llama⏎{CALLER}
        warning .env:2  PROVIDER_B_BASE_URL: has not the path of this vendor's API; write https://api.groq.com/openai/v1
        PROVIDER_B_KIND=gemini⏎PROVIDER_B_BASE_URL=https://generativelanguage.googleapis.com/v1beta/openai/⏎PROVIDER_B_MODELS=llama⏎{CALLER}PROVIDER_B_API_KEYS=k⏎ » PROVIDER_B_KIND=gemini⏎PROVIDER_B_BASE_URL=https://generativelanguage.googleapis.com⏎PROVIDER_B_MODELS=llama⏎{CALLER}PROVIDER_B_API_KEYS=k⏎
        warning .env:2  PROVIDER_B_BASE_URL: is the URL of Gemini's API for the kind openai; set PROVIDER_B_KIND=openai, or write https://generativelanguage.googleapis.com
        {OPENAI}PROVIDER_B_COST=0.15/0.60 per token⏎ » {OPENAI}PROVIDER_B_COST=0.15/0.60 per 1M tokens⏎
        problem .env:5  PROVIDER_B_COST: "0.15/0.60 per token" is not a price such as 0.002, 0.001/0.004 or 0.001/0.004/0.0005, up to 1000 dollars, with at most nine decimals: write "per million" or "per 1000" once, behind the first price
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=sk-proj-0123456789⏎PROVIDER_B_MODELS=llama⏎{CALLER} » {OPENAI}
        problem .env:2  PROVIDER_B_BASE_URL: the value is not a URL such as https://host or https://host/path
        {OPENAI}PROVIDER_B_API_KEYS=https://127.0.0.1:9/v1⏎ » {OPENAI}PROVIDER_B_API_KEYS=k-0123456789⏎
        warning .env:5  PROVIDER_B_API_KEYS: is a URL, but should be a key; write only the key
        PROVIDER_A_KIND=echo⏎KEY_TEAM_TOKEN=/run/secrets/team⏎ » {ECHO}
        warning .env:2  KEY_TEAM_TOKEN: is the path of a file, which is not read; set KEY_TEAM_TOKEN_FILE to it
        {OPENAI}PROVIDER_B_API_KEYS=["k-0123456789"]⏎ » {OPENAI}PROVIDER_B_API_KEYS=k-0123456789⏎
        warning .env:5  PROVIDER_B_API_KEYS: begins with a quote, a bracket or a setting's name, which then are parts of it; write only the value
        {OPENAI}PROVIDER_B_API_KEYS=YOUR_API_KEY⏎ » {OPENAI}PROVIDER_B_API_KEYS=k-0123456789⏎
        warning .env:5  PROVIDER_B_API_KEYS: is a placeholder, as in the README or docs, which anybody can read; write a key of the vendor's
        {OPENAI}PROVIDER_B_API_KEYS=k-1,k-1⏎ » {OPENAI}PROVIDER_B_API_KEYS=k-1,k-2⏎
        warning .env:5  PROVIDER_B_API_KEYS: contains the same key twice; remove one, KEY_WEIGHTS can give it more calls
        {OPENAI}PROVIDER_B_MODEL_INFO=lama=context:128000⏎ » {OPENAI}PROVIDER_B_MODEL_INFO=llama=context:128000⏎
        problem .env:5  PROVIDER_B_MODEL_INFO: PROVIDER_B_MODELS does not contain "lama"; did you mean "llama"?
        {ECHO}TRUSTED_PROXIES=10.0.0.0/8,0.0.0.0/0⏎ » {ECHO}TRUSTED_PROXIES=10.0.0.0/8⏎
        warning .env:3  TRUSTED_PROXIES: 0.0.0.0/0 lets each client choose its own address by X-Forwarded-For; write the networks of your proxies
        {ECHO}TRUSTED_PROXIES=10.0.0.0/8;10.1.0.0/16⏎ » {ECHO}TRUSTED_PROXIES=10.0.0.0/8,10.1.0.0/16⏎
        problem .env:3  TRUSTED_PROXIES: "10.0.0.0/8;10.1.0.0/16" is not a list of networks such as 10.0.0.0/8: write a comma between two of them; ; stands between limits
        {ECHO}PUBLIC_URL=https://relay.example.org/v1/⏎ » {ECHO}PUBLIC_URL=https://relay.example.org⏎
        warning .env:3  PUBLIC_URL: ends in /v1, which the relay adds itself; write https://relay.example.org
        {ECHO}MEMCACHED_PORT=11212⏎ » {ECHO}MEMCACHED_PORT=11211⏎MEMCACHED_HOST=cache⏎
        warning .env:3  MEMCACHED_PORT: has no effect without MEMCACHED_HOST
        {ECHO}RATE_LIMIT_STORE_DOWN=deny⏎ » {ECHO}RATE_LIMIT_STORE_DOWN=deny⏎MEMCACHED_SERVERS=127.0.0.1:9⏎
        warning .env:3  RATE_LIMIT_STORE_DOWN: has no effect without MEMCACHED_HOST or MEMCACHED_SERVERS
        {ECHO}SLOT_SECONDS=60⏎ » {ECHO}SLOT_SECONDS=60⏎MEMCACHED_HOST=127.0.0.1⏎
        warning .env:3  SLOT_SECONDS: has no effect without MEMCACHED_HOST or MEMCACHED_SERVERS
        {ECHO}MEMCACHED_SERVERS=127.0.0.1:9,127.0.0.1:8,127.0.0.1:9⏎ » {ECHO}MEMCACHED_SERVERS=127.0.0.1:9,127.0.0.1:8⏎
        warning .env:3  MEMCACHED_SERVERS: contains 127.0.0.1:9 twice, so it has twice its part of the records; remove one
        {ECHO}BUDGET_CONTACT=Ask Ann.⏎ » {ECHO}BUDGET_CONTACT=Ask Ann.⏎RATE_LIMIT=5000 tokens/day⏎
        warning .env:3  BUDGET_CONTACT: has no effect without a budget, as RATE_LIMIT=5 usd/day
        {ECHO}CORS_ORIGINS=https://chat.example.org,*⏎ » {ECHO}CORS_ORIGINS=*⏎
        warning .env:3  CORS_ORIGINS: * has no effect beside other origins; write * alone, or only the origins
        {ECHO}QUEUE_TIMEOUT=20s⏎ » {ECHO}QUEUE_TIMEOUT=20s⏎PROVIDER_A_CONCURRENCY=5⏎
        warning .env:3  QUEUE_TIMEOUT: has no effect without a capacity, such as PROVIDER_<NAME>_CONCURRENCY
        {ECHO}CACHE_TTL=1h⏎ » {ECHO}CACHE_TTL=1h⏎CACHE=true⏎
        warning .env:3  CACHE_TTL: has no effect without CACHE
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://llm.example.org/v1⏎PROVIDER_B_MODELS=llama⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=https://llm.example.org/v1⏎PROVIDER_B_MODELS=llama⏎{CALLER}
        warning .env:2  PROVIDER_B_BASE_URL: sends keys and prompts unencrypted; write https://llm.example.org/v1
        PROVIDER_B_KIND=anthropic⏎PROVIDER_B_BASE_URL=https://api.openai.com/v1⏎PROVIDER_B_MODELS=llama⏎{CALLER}PROVIDER_B_API_KEYS=k⏎ » PROVIDER_B_KIND=anthropic⏎PROVIDER_B_BASE_URL=https://api.anthropic.com⏎PROVIDER_B_MODELS=llama⏎{CALLER}PROVIDER_B_API_KEYS=k⏎
        warning .env:2  PROVIDER_B_BASE_URL: is the URL of an API of the kind openai; set PROVIDER_B_KIND=openai
        // the relay of the team⏎{ECHO} » {ECHO}
        problem .env:1  this line is not NAME=value: a comment begins with #
        [relay]⏎{ECHO} » {ECHO}
        problem .env:1  this line is not NAME=value: a settings file has no sections; remove this line
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=gpt-4*⏎{CALLER} » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=gpt-4o⏎{CALLER}
        problem .env:3  PROVIDER_B_MODELS: "gpt-4*" is not a list of name or alias=upstream, each alias once, separated by commas: write whole names, or * alone for all models on the vendor's list
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=all⏎{CALLER}PROVIDER_B_API_KEYS=k-0123456789⏎ » PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1⏎PROVIDER_B_MODELS=*⏎{CALLER}PROVIDER_B_API_KEYS=k-0123456789⏎
        warning .env:3  PROVIDER_B_MODELS: "all" is read as the name of a model; write * for all models
        ONE_MIN_API_KEYS=v-0123456789⏎PERMIT_MODELS_FROM_SUBSET_ONLY=true⏎{CALLER}KEY_TEAM_MODELS=gpt-4.1⏎ » ONE_MIN_API_KEYS=v-0123456789⏎PERMIT_MODELS_FROM_SUBSET_ONLY=true⏎{CALLER}KEY_TEAM_MODELS=gpt-4o⏎
        warning .env:4  KEY_TEAM_MODELS: "gpt-4.1" is not served, because of a weight of 0 or PERMIT_MODELS_FROM_SUBSET_ONLY; correct these settings, or remove the model
        PROVIDER_A_KIND=echo⏎FILE_ID_SECRET=0123456789abcdef⏎KEY_A_JWT_AUDIENCE=relay⏎KEY_A_JWT_ISSUER=https://id.example.org/.well-known/openid-configuration⏎ » PROVIDER_A_KIND=echo⏎FILE_ID_SECRET=0123456789abcdef⏎KEY_A_JWT_AUDIENCE=relay⏎KEY_A_JWT_ISSUER=https://id.example.org⏎
        problem .env:4  KEY_A_JWT_ISSUER: is the URL of a document of the issuer; write https://id.example.org
        {ECHO}RATE_LIMIT_BY_MODEL=echo=10/minute;other=5/minute⏎ » {ECHO}RATE_LIMIT_BY_MODEL=echo=10/minute⏎
        problem .env:3  RATE_LIMIT_BY_MODEL: "echo=10/minute;other=5/minute" is not off or limits of models such as gpt-4o*=10/minute;100/day,o3-mini=5/minute: write a comma between two models
        {ECHO}PROVIDER_B_KIND=echo⏎PROVIDERS=a b⏎ » {ECHO}PROVIDER_B_KIND=echo⏎PROVIDERS=a,b⏎
        problem .env:4  PROVIDERS: "a b" is not a list of names without spaces, separated by commas: write a comma between two names
        {ECHO}KEY_TEAM_GROUP=eng;ops⏎GROUP_ENG_RATE_LIMIT=5/minute⏎ » {ECHO}KEY_TEAM_GROUP=eng⏎GROUP_ENG_RATE_LIMIT=5/minute⏎
        problem .env:3  KEY_TEAM_GROUP: "eng;ops" is not a list of names without spaces, separated by commas: write a comma between two of them; ; stands between limits
        {OPENAI}PROVIDER_B_ALLOW_FIELDS=models;route⏎ » {OPENAI}PROVIDER_B_ALLOW_FIELDS=models,route⏎
        problem .env:5  PROVIDER_B_ALLOW_FIELDS: "models;route" is not a list of names without spaces, separated by commas: write a comma between two of them; ; stands between limits
        {OPENAI}PROVIDER_B_ALLOW_FIELDS=*⏎ » {OPENAI}PROVIDER_B_ALLOW_FIELDS=models⏎
        warning .env:5  PROVIDER_B_ALLOW_FIELDS: * is the name of no field; name the fields, as in models,route
        {ECHO}KEY_TEAM_MODELS=echo;other⏎ » {ECHO}KEY_TEAM_MODELS=echo⏎
        problem .env:3  KEY_TEAM_MODELS: "echo;other" is not a list of model names, prefix* or all, separated by commas: write a comma between two of them; ; stands between limits
        PROVIDER_B_KIND=openai⏎PROVIDER_B_BASE_URL=http://127.0.0.1:9/v1,http://127.0.0.1:8/v1⏎PROVIDER_B_MODELS=llama⏎{CALLER} » {OPENAI}
        problem .env:2  PROVIDER_B_BASE_URL: "http://127.0.0.1:9/v1,http://127.0.0.1:8/v1" is not a URL such as https://host or https://host/path: it has two URLs; write one
        {OPENAI}PROVIDER_B_API_BASE=http://127.0.0.1:9/v1⏎ » {OPENAI}
        problem .env:5  PROVIDER_B_API_BASE: unknown variable; did you mean PROVIDER_B_BASE_URL?
        {OPENAI}PROVIDER_B_API_VERSION=1⏎ » {OPENAI}
        problem .env:5  PROVIDER_B_API_VERSION: unknown variable
        {OPENAI}PROVIDER_B_TOKEN=k-0123456789⏎ » {OPENAI}PROVIDER_B_API_KEYS=k-0123456789⏎
        problem .env:5  PROVIDER_B_TOKEN: unknown variable; did you mean PROVIDER_B_API_KEYS?
        {ECHO}RATE_LIMIT_FILE=/run/limits⏎ » {ECHO}RATE_LIMIT=5/minute⏎
        problem .env:3  RATE_LIMIT_FILE: unknown variable; RATE_LIMIT is read from no file; write its value there
        {ECHO}RATE_LIMIT_FILE=5/minute⏎ » {ECHO}RATE_LIMIT_FILES=5/minute⏎
        problem .env:3  RATE_LIMIT_FILE: unknown variable; did you mean RATE_LIMIT_FILES?
        {ECHO}METRICS_TOKEN=sk-relay-for-tests-0001⏎ » {ECHO}METRICS_TOKEN=sk-relay-for-tests-0002⏎
        warning .env:3  METRICS_TOKEN: is also KEY_TEAM_TOKEN, which callers know; write another value
        {ECHO}ADMIN_PASSWORD=sk-relay-for-tests-0001⏎ » {ECHO}ADMIN_PASSWORD=sk-relay-for-tests-0002⏎
        problem .env:3  ADMIN_PASSWORD: is also KEY_TEAM_TOKEN, which callers know; write another value
        {ECHO}FETCH_ALLOW_NETWORKS=0.0.0.0/0⏎ » {ECHO}FETCH_ALLOW_NETWORKS=10.1.0.0/16⏎
        warning .env:3  FETCH_ALLOW_NETWORKS: 0.0.0.0/0 lets callers reach each server of your network; write the networks with images for them
        {OPENAI}PROVIDER_BETA_KIND=echo⏎PROVIDER_B_LABEL=beta⏎ » {OPENAI}PROVIDER_BETA_KIND=echo⏎PROVIDER_B_LABEL=one⏎
        warning .env:6  PROVIDER_B_LABEL: "beta" is also the label of PROVIDER_BETA, so reports and model lists do not tell them apart; write another label
        {OPENAI}PROVIDER_B_HEADERS=Authorization: Bearer k-0123456789⏎PROVIDER_B_API_KEYS=k-0123456789⏎ » {OPENAI}PROVIDER_B_HEADERS=Authorization: Bearer k-0123456789⏎
        warning .env:5  PROVIDER_B_HEADERS: has Authorization, so PROVIDER_B_API_KEYS is never sent; remove one of them
        {ECHO}UPSTREAM_PROXY=http://me:secret@proxy⏎ » {ECHO}UPSTREAM_PROXY=http://me:secret@proxy:3128⏎
        warning .env:3  UPSTREAM_PROXY: names no port, which then is 1080; write it, as in http://proxy:3128
        {OPENAI}PROVIDER_B_COST=0.15,0.60 per million⏎ » {OPENAI}PROVIDER_B_COST=0.15/0.60 per million⏎
        problem .env:5  PROVIDER_B_COST: "0.15,0.60 per million" is not a price such as 0.002, 0.001/0.004 or 0.001/0.004/0.0005, up to 1000 dollars, with at most nine decimals: write / between the prices of prompt and completion
        {ECHO}DATA_DIR=~/data⏎ » {ECHO}DATA_DIR=/data⏎
        problem .env:3  DATA_DIR: "~/data" is not a path without control characters: ~ is not replaced; write the whole path
        PROVIDER_A_KIND=echo⏎KEY_TEAM_TOKEN_FILE=~/token⏎KEY_TEAM_MODELS=all⏎ » {ECHO}
        problem .env:2  KEY_TEAM_TOKEN_FILE: the file cannot be read: No such file or directory; ~ is not replaced; write the whole path
        """#

    private static func file(_ text: Substring) -> String {
        var text = text.replacing("\u{23ce}", with: "\n")
        for (name, lines) in [("{GROUPED}", grouped), ("{OPENAI}", openAI), ("{ECHO}", echo), ("{CALLER}", caller)] {
            text = text.replacing(name, with: lines)
        }
        return String(text)
    }

    private func told(_ file: String) -> (problems: [String], warnings: [String]) {
        // Without a folder, windows of an hour or more are a warning.
        let folder = file.contains("DATA_DIR") ? [] : [("DATA_DIR", "/data")]
        let outcome = outcome(environment: folder, file: file)
        return (outcome.problemTexts, outcome.warningTexts)
    }

    @Test("a mistake is named with its place and the way out, which helps")
    func mistakes() throws {
        let lines = Self.table.split(separator: "\n")
        #expect(lines.count > 150)
        for index in stride(from: 0, to: lines.count, by: 2) {
            let files = lines[index].split(separator: " \u{bb} ", omittingEmptySubsequences: false)
            let (kind, message) = (lines[index + 1].prefix(7), String(lines[index + 1].dropFirst(8)))
            let found = told(Self.file(files[0]))
            #expect(found.problems == (kind == "problem" ? [message] : []), "\(files[0])")
            #expect(found.warnings == (kind == "warning" ? [message] : []), "\(files[0])")
            let mended = told(Self.file(files[1]))
            #expect(mended.problems == [] && mended.warnings == [], "\(files[1])")
        }
    }
}
