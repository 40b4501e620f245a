/// A count that takes four bytes. Numbers outside 0 to 2^32 - 1 become the nearest of these.
@propertyWrapper package struct SmallCount: Sendable, Equatable {
    private var stored: UInt32

    package init(wrappedValue: Int) { stored = UInt32(clamping: wrappedValue) }

    package var wrappedValue: Int {
        get { Int(stored) }
        set { stored = UInt32(clamping: newValue) }
    }
}
