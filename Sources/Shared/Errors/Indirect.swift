/// A value behind one pointer. Errors are kept so: with typed throws each async frame on their way has room for them,
/// and a stream holds its frames for as long as it lasts. Public, as only that is inlined in other modules: its value is
/// read and changed where it is.
public struct Indirect<Value: Sendable>: Sendable {
    /// `@unchecked`: it changes only while nobody else has it.
    @usableFromInline
    final class Box: @unchecked Sendable {
        @usableFromInline var value: Value

        @inlinable
        init(_ value: Value) { self.value = value }
    }

    @usableFromInline var box: Box

    @inlinable
    public init(_ value: Value) { box = Box(value) }

    @inlinable public var value: Value {
        _read { yield box.value }
        _modify {
            if !isKnownUniquelyReferenced(&box) { box = Box(box.value) }
            yield &box.value
        }
    }
}
