import Engine

/// The setup of one client program: a text to copy into the program or a shell, so that the program uses this relay.
package struct ClientSetup: Sendable {
    /// The name of the program, such as `curl`.
    package let name: String
    /// The place into which to copy the text, such as a shell, a file or a program.
    package let destination: String
    package let text: String

    /// Returns the setups of the most common programs. The environment variable `RELAY_KEY` contains the caller's key.
    /// - Parameter address: the relay's URL, without a slash at its end.
    package static func all(address: String, model: String) -> [ClientSetup] {
        let target = Target(address: address, model: model)
        return [
            ClientSetup(name: "curl", destination: "a shell", text: target.curl),
            ClientSetup(name: "OpenAI SDK for Python", destination: "a Python program", text: target.openAIPython),
            ClientSetup(
                name: "OpenAI SDK for JavaScript",
                destination: "a JavaScript module",
                text: target.openAIJavaScript
            ),
            ClientSetup(
                name: "Anthropic SDK for Python",
                destination: "a Python program",
                text: target.anthropicPython
            ),
            ClientSetup(name: "Open WebUI", destination: "a shell", text: target.openWebUI),
            ClientSetup(name: "Codex", destination: "~/.codex/config.toml", text: target.codex),
            ClientSetup(name: "Claude Code", destination: "a shell, before `claude`", text: target.claudeCode),
        ]
    }
}

/// The relay's URL and a model, from which the texts of the client setups are made.
private struct Target {
    let address: String
    let model: String

    var curl: String {
        let body = #"{"model": \#(model.inQuotes), "messages": [{"role": "user", "content": "Hello"}]}"#
        return #"""
            curl \#("\(address)/v1/chat/completions".inShell) \
              -H "Authorization: Bearer $RELAY_KEY" \
              -H "Content-Type: application/json" \
              -d \#(body.inShell)
            """#
    }

    var openAIPython: String {
        """
        import os
        from openai import OpenAI

        client = OpenAI(base_url=\("\(address)/v1".inQuotes), api_key=os.environ["RELAY_KEY"])
        answer = client.chat.completions.create(
            model=\(model.inQuotes),
            messages=[{"role": "user", "content": "Hello"}],
        )
        print(answer.choices[0].message.content)
        """
    }

    var openAIJavaScript: String {
        """
        import OpenAI from "openai";

        const client = new OpenAI({ baseURL: \("\(address)/v1".inQuotes), apiKey: process.env.RELAY_KEY });
        const answer = await client.chat.completions.create({
          model: \(model.inQuotes),
          messages: [{ role: "user", content: "Hello" }],
        });
        console.log(answer.choices[0].message.content);
        """
    }

    var anthropicPython: String {
        """
        import os
        from anthropic import Anthropic

        client = Anthropic(base_url=\(address.inQuotes), api_key=os.environ["RELAY_KEY"])
        answer = client.messages.create(
            model=\(model.inQuotes),
            max_tokens=1024,
            messages=[{"role": "user", "content": "Hello"}],
        )
        print(answer.content[0].text)
        """
    }

    var openWebUI: String {
        """
        export OPENAI_API_BASE_URL=\("\(address)/v1".inShell)
        export OPENAI_API_KEY="$RELAY_KEY"
        export DEFAULT_MODELS=\(model.inShell)
        export ENABLE_OLLAMA_API=false
        open-webui serve
        """
    }

    var codex: String {
        """
        # RELAY_KEY has the key: export RELAY_KEY=... before `codex`.
        model = \(model.inQuotes)
        model_provider = "relay"

        [model_providers.relay]
        name = "relay"
        base_url = \("\(address)/v1".inQuotes)
        env_key = "RELAY_KEY"
        wire_api = "responses"
        """
    }

    var claudeCode: String {
        """
        export ANTHROPIC_BASE_URL=\(address.inShell)
        export ANTHROPIC_AUTH_TOKEN="$RELAY_KEY"
        export ANTHROPIC_MODEL=\(model.inShell)
        export ANTHROPIC_DEFAULT_HAIKU_MODEL=\(model.inShell)
        """
    }
}

extension String {
    /// The text as a string literal in quotes, for JSON, Python, JavaScript and TOML.
    fileprivate var inQuotes: String {
        var quoted = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\u{0}"..<" ":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// The text as one word of a POSIX shell, in quotes if needed.
    fileprivate var inShell: String {
        if !isEmpty, utf8.allSatisfy({ $0.isLetterOrDigit(or: "-./:_") }) { return self }
        return "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
