import Engine
import Shared

struct NewKey {
    /// The NAME of the caller, as in `KEY_<NAME>_TOKEN`.
    private let instance: String
    private let token: String

    /// Creates a random key for the caller with this name; nil if the name is invalid.
    init?(_ name: String) {
        instance = name.asInstance
        guard SettingFamily.isInstanceName(instance[...]), instance.utf8.count <= 64 else { return nil }
        let random = RandomBytes()
        let bytes = (0..<4).flatMap { _ in withUnsafeBytes(of: random.next() as UInt64) { Array($0) } }
        token = "sk-relay-" + Base64.url.text(bytes)
    }

    /// The settings that declare the new key, as lines for a `.env` file.
    var lines: String {
        """
        KEY_\(instance)_TOKEN=\(token)
        # KEY_\(instance)_MODELS=all
        # KEY_\(instance)_RATE_LIMIT=60/minute

        """
    }

    var json: String { #"{"setting":"KEY_\#(instance)_TOKEN","token":"\#(token)"}"# + "\n" }
}
