import Engine
import Shared

/// The properties of a provider that all of its calls need. Each loop has its own.
///
/// `@unchecked`: used on its loop only.
final class WireVendor: @unchecked Sendable {
    /// The provider's name.
    let name: String
    let transport: any Transport
    let tools: LoopTools
    let quirks: QuirkMemory
    let headers: KeyHeaders

    init(_ name: String, _ transport: any Transport, headers: KeyHeaders, quirks: QuirkMemory, tools: LoopTools) {
        self.name = name
        self.transport = transport
        self.headers = headers
        self.quirks = quirks
        self.tools = tools
    }
}
