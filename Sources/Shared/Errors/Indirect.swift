/// A value behind one pointer, so that it is cheap to pass and store. With typed throws, each async frame has room for
/// the error, and a stream keeps its frames while it lasts. The type is public because only public code is inlined in
/// other modules, and its value is read and changed in place.
public struct Indirect<Value: Sendable>: Sendable {
    /// `@unchecked`: the box changes only while a single owner references it.
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
