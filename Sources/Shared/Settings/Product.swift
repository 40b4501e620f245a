/// The name and version of this program.
package enum Product {
    package static let name = "relay"
    package static let version = "0.1.0"
}
