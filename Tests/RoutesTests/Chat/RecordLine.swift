@testable import Engine

/// A line of the usage file: the record of a request or of an upstream call.
struct RecordLine: Sendable {
    let isCall: Bool
    let provider: String?
    let key: String?
    let promptTokens: Int
    let completionTokens: Int
    let attempts: Int
    let isSuccess: Bool
    let isCached: Bool
    let error: String?
    /// The cost; nil if it is unknown.
    let microdollars: Int?

    init(_ line: String) {
        let text = ByteBuffer(line)
        let parser = JSONParser()
        let json = try? parser.parse(text.bytes)
        isCall = json?["kind"]?.string == "call"
        provider = json?["provider"]?.string
        key = json?["key"]?.string
        promptTokens = json?["prompt_tokens"]?.integer.map { Int($0) } ?? -1
        completionTokens = json?["completion_tokens"]?.integer.map { Int($0) } ?? -1
        attempts = json?["attempts"]?.integer.map { Int($0) } ?? 0
        isSuccess = json?["success"]?.flag ?? false
        isCached = json?["cached"]?.flag ?? false
        error = json?["error"]?.string
        microdollars = json?["cost"]?.number.map { Int(($0 * 1e6).rounded()) }
    }
}

extension [RecordLine] {
    var requests: [RecordLine] { filter { !$0.isCall } }
    /// The records of upstream calls.
    var calls: [RecordLine] { filter(\.isCall) }
}
