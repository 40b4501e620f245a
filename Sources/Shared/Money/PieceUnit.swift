/// A unit of calls that are not priced by tokens.
package enum PieceUnit: UInt8, Sendable {
    case image
    /// A second of a recording, which is transcribed.
    case second
    /// A character of a text, which is spoken.
    case character
}

/// The price of the pieces of a call.
struct PiecePrice: Sendable, Equatable {
    let unit: PieceUnit
    /// The price of `size` pieces in 10^-12 dollars.
    let price: Int

    /// The number of pieces that the price is for.
    var size: Int {
        switch unit {
        case .image: 1
        case .second: 60
        case .character: 1_000
        }
    }

    /// The words of the price, such as `each minute 0.006`.
    var text: String {
        let words =
            switch unit {
            case .image: "each"
            case .second: "each minute"
            case .character: "each 1000 characters"
            }
        return "\(words) \(Cost(millionths: price).exactText)"
    }
}
