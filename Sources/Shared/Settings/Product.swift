import CStamp

/// The name and version of this program.
package enum Product {
    package static let name = "relay"
    package static let version = "0.1.0"

    /// The name, the version and, if the program was stamped, its commit and date, as one line.
    package static let description = "\(name) \(version)\(build.isEmpty ? "" : " (\(build))")\n"

    /// The commit from which the program was built, with its date; empty if the program was not stamped.
    private static let build = String(cString: relay_stamp())
}
