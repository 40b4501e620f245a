import Engine
import Shared

/// The tools of a call whose names are too long for OpenAI, by the short names that OpenAI gets.
struct ShortToolNames: Sendable {
    static let limitBytes = 64

    static func isLong(_ name: String) -> Bool { name.utf8.count > limitBytes }

    private var originals: [[UInt8]: [UInt8]] = [:]

    /// Finds the long names; none in a request that came in OpenAI's format, which has the same limit.
    init(_ call: borrowing ChatCall) {
        guard call.original == nil, call.chatOptions.hasTools else { return }
        for tool in call.chatOptions.tools where Self.isLong(tool.name) {
            let name = Array(tool.name.utf8)
            originals[ShortName.bytes(of: name, limitBytes: Self.limitBytes)] = name
        }
    }

    func original(of name: UnsafeRawBufferPointer) -> [UInt8]? { originals[Array(name)] }

    /// Returns a reader that restores the names; the reader itself if no name is long.
    func restoring(_ reader: any WireReader) -> any WireReader {
        originals.isEmpty ? reader : ToolNameRestorer(reader, self)
    }
}

/// A reader that restores the long names of called tools.
///
/// `@unchecked`: used as the inner reader is.
private final class ToolNameRestorer: WireReaderDecorator, @unchecked Sendable {
    let inner: any WireReader
    private let names: ShortToolNames

    init(_ inner: any WireReader, _ names: ShortToolNames) {
        self.inner = inner
        self.names = names
    }

    func pass(_ choice: Int, _ event: ChatEvent, _ emit: Emit) {
        guard case .toolCall(let index, let id, let name) = event, let original = names.original(of: name) else {
            return emit(choice, event)
        }
        original.withUnsafeBytes { emit(choice, .toolCall(index: index, id: id, name: $0)) }
    }
}
