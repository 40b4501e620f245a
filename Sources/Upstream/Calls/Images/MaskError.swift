/// The reason why an image mask cannot be used.
package enum MaskError: Error {
    /// The mask is not a PNG, or the PNG is damaged.
    case broken
    case tooLarge
    /// The mask has no transparent pixels or no alpha channel.
    case noAlpha
    /// The mask does not have the width and height of the image.
    case otherSize
    /// The relay's worker thread is too busy to convert the mask.
    case busy
}
