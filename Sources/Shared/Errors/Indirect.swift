/// A value behind one pointer, so that it is cheap to pass and to throw.
///
/// Public so that the compiler can inline its code in other modules.
public struct Indirect<Value: Sendable>: Sendable {
    /// The reference that contains the value.
    ///
    /// `@unchecked`: the box only changes while it has a single owner.
    @usableFromInline
    final class Box: @unchecked Sendable {
        @usableFromInline var value: Value

        @inlinable
        init(_ value: Value) { self.value = value }
    }

    @usableFromInline var box: Box

    @inlinable
    public init(_ value: Value) { box = Box(value) }

    /// Calls `body` with the value, which is not copied.
    @inlinable
    public func withValue<Result>(_ body: (borrowing Value) -> Result) -> Result { body(box.value) }

    @inlinable public var value: Value {
        _read { yield box.value }
        _modify {
            if !isKnownUniquelyReferenced(&box) { box = Box(box.value) }
            yield &box.value
        }
    }
}
