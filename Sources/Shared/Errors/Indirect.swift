/// A value behind one pointer. Errors are kept so: with typed throws each async frame on their way has room for them,
/// and a stream holds its frames for as long as it lasts.
package struct Indirect<Value: Sendable>: Sendable {
    private final class Box: Sendable {
        let value: Value
        init(_ value: Value) { self.value = value }
    }
    private var box: Box

    package init(_ value: Value) { box = Box(value) }

    package var value: Value {
        get { box.value }
        set { box = Box(newValue) }
    }
}
