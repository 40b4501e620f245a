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
    let mends: MendMemory
    let headers: KeyHeaders

    init(_ name: String, _ transport: any Transport, _ headers: KeyHeaders, _ mends: MendMemory, _ tools: LoopTools) {
        self.name = name
        self.transport = transport
        self.headers = headers
        self.mends = mends
        self.tools = tools
    }
}
