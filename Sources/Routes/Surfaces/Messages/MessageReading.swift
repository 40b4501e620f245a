import Shared

/// The rules for reading a request of the Messages API, and the first error that they tolerated.
struct MessageReading {
    /// Whether the request only asks for the prompt's number of tokens.
    var isCounted = false
    /// Whether content that the relay does not understand is no error yet, because a vendor may get the raw request.
    var toleratesUnknown = false
    /// The first tolerated error; nil if there is none.
    private(set) var error: APIError?

    /// Records an error. Throws the error if no error is tolerated.
    mutating func tolerate(_ error: APIError) throws(APIError) {
        guard toleratesUnknown else { throw error }
        self.error = self.error ?? error
    }

    mutating func tolerating(_ read: () throws(APIError) -> Void) throws(APIError) {
        do throws(APIError) { try read() } catch { try tolerate(error) }
    }
}
