/// An object that only the thread of one event loop uses once it was made, usually the loop of its request.
///
/// A class that conforms is `@unchecked Sendable` for this reason: tasks of a loop run on its thread alone. Debug builds
/// check the thread where events come in: timers, waiters, calls to vendors and waits for their events.
package protocol OnLoop: AnyObject, Sendable {}
