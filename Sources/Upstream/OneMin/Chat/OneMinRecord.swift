import Calls
import Engine
import Shared

/// The useful parts of the vendor's record of a finished call.
struct OneMinRecord {
    /// Valid until the parser parses again.
    let text: UnsafeRawBufferPointer
    let usage: Usage?
    /// The credits that the call took.
    let credits: Int?

    /// `bytes`: the whole JSON, from a `ByteBuffer`. Throws for what is no record of a success.
    init(_ bytes: UnsafeRawBufferPointer, _ parser: JSONParser) throws(UpstreamError) {
        let record = try Self.checked(bytes, parser)
        guard let result = record["aiRecordDetail"]?["resultObject"], let text = Self.text(result) else {
            throw UpstreamError(.failed, cause: "the vendor's record has no result")
        }
        self.text = text
        (usage, credits) = Self.taken(record["metadata"])
    }

    /// The record in `bytes`, valid until the parser parses again. Throws for a record that is not of a success.
    static func checked(_ bytes: UnsafeRawBufferPointer, _ parser: JSONParser) throws(UpstreamError) -> JSONValue {
        let root: JSONValue
        do throws(JSONError) {
            root = try parser.parse(bytes)
        } catch {
            throw UpstreamError(.failed, cause: "the vendor's answer is not JSON")
        }
        guard let record = root["aiRecord"] else {
            throw UpstreamError(ofBody: root, cause: "the vendor's answer has no record")
        }
        if root["success"]?.flag == false { throw UpstreamError(ofBody: root, cause: "the vendor says: no success") }
        if let status = record["status"]?.text, status != "SUCCESS", status != "COMPLETED" {
            throw UpstreamError(.failed, cause: "the vendor's record says \(status.text.beginning(ofBytes: 20))")
        }
        return record
    }

    /// The first string of an array, which with web search begins with objects; or the bare string.
    private static func text(_ result: JSONValue) -> UnsafeRawBufferPointer? {
        if let text = result.text { return text.isEmpty ? nil : text }
        return result.elements?.lazy.compactMap { $0.text }.first
    }

    func copy() -> ByteBuffer {
        var copy = ByteBuffer()
        copy.append(text)
        return copy
    }

    /// Tokens and credits that a call took, as far as the record says.
    static func taken(_ metadata: JSONValue?) -> (Usage?, Int?) { (usage(metadata), credits(metadata)) }

    /// Rounded up, should it be a fraction.
    static func credits(_ metadata: JSONValue?) -> Int? {
        guard let number = metadata?["credit"]?.number, (0..<Double(1 << 40)).contains(number) else { return nil }
        return Int(number.rounded(.up))
    }

    private static func usage(_ metadata: JSONValue?) -> Usage? {
        guard let input = metadata?["inputToken"]?.integer, let output = metadata?["outputToken"]?.integer,
            input >= 0, output >= 0, input < 1 << 40, output < 1 << 40
        else { return nil }
        return Usage(promptTokens: max(1, Int(input)), completionTokens: Int(output))
    }
}
