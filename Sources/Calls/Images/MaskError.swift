/// The reason why a mask cannot be used.
package enum MaskError: Error {
    /// The mask is not a PNG, or its PNG is damaged.
    case broken
    case tooLarge
    /// The mask has no transparent pixels or no alpha channel.
    case noAlpha
    /// The mask does not have the width and height of the image.
    case otherSize
    /// Too many masks are being converted.
    case busy
}
