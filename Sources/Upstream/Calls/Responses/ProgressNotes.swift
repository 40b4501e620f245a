/// The part of a stream's writer that a panel's progress lines need.
package protocol ProgressNotes: AnyObject, Sendable {
    func write(_ choice: Int, _ event: ChatEvent)
    /// Begins the response with a text, before the first event from the vendor.
    func begin(with text: StaticString)
    /// Sends the collected output without waiting for the client.
    func flush()
}
