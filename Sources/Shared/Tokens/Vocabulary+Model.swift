extension Vocabulary.Name {
    /// Finds a model's vocabulary by name, as `tiktoken` does. Returns nil if the vocabulary is unknown
    /// or not in the token file. The name may begin with `openai/`.
    package init?(model: String) {
        var name = Substring(model).utf8
        if name.starts(with: "openai/".utf8) { name = name.dropFirst(7) }
        for (known, vocabulary) in Self.names where name.elementsEqual(known.utf8) {
            self = vocabulary
            return
        }
        // No name that tiktoken maps to an older vocabulary begins with one of these prefixes.
        for (prefix, vocabulary) in Self.prefixes where name.starts(with: prefix.utf8) {
            self = vocabulary
            return
        }
        return nil
    }

    private static let names: [(String, Vocabulary.Name)] = [
        ("o1", .o200k), ("o3", .o200k), ("o4-mini", .o200k), ("gpt-5", .o200k), ("gpt-4.1", .o200k), ("gpt-4o", .o200k),
        ("gpt-4", .cl100k), ("gpt-3.5-turbo", .cl100k), ("gpt-3.5", .cl100k), ("gpt-35-turbo", .cl100k),
        ("davinci-002", .cl100k), ("babbage-002", .cl100k), ("text-embedding-ada-002", .cl100k),
        ("text-embedding-3-small", .cl100k), ("text-embedding-3-large", .cl100k),
    ]

    /// Prefixes of model names with their vocabularies, in the order in which they are tried.
    private static let prefixes: [(String, Vocabulary.Name)] = [
        ("o1-", .o200k), ("o3-", .o200k), ("o4-mini-", .o200k), ("gpt-5", .o200k), ("gpt-4.5-", .o200k),
        ("gpt-4.1-", .o200k), ("chatgpt-4o-", .o200k), ("gpt-4o-", .o200k), ("gpt-4-", .cl100k),
        // gpt-oss has the vocabulary of o200k_base; only its special tokens differ.
        ("gpt-3.5-turbo-", .cl100k), ("gpt-35-turbo-", .cl100k), ("gpt-oss-", .o200k), ("ft:gpt-4o", .o200k),
        ("ft:gpt-4", .cl100k), ("ft:gpt-3.5-turbo", .cl100k), ("ft:davinci-002", .cl100k), ("ft:babbage-002", .cl100k),
    ]
}
