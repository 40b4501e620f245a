import Engine
import Shared

/// The objects that all calls to a provider share on one event loop.
///
/// `@unchecked`: used on its event loop only.
final class WireVendor: @unchecked Sendable {
    /// The name of the provider in the settings.
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
