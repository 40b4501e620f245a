/// The reason that a mask cannot be used.
package enum MaskFlaw: Error {
    /// Not a PNG, or a damaged one.
    case broken
    case tooLarge
    /// Nothing in it is transparent, or says so.
    case noAlpha
    /// Not as wide and high as the picture.
    case otherSize
    /// Too many are being converted.
    case busy
}
