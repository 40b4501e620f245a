import Engine
import Testing

@testable import Routes

@Suite struct RouteTests {
    @Test(
        "a route is found by its path, under /v1 and without as its place says",
        arguments: [
            (Route.Place.api, false, "/models", [true, true]), (.api, false, "/models/", [false, false]),
            (.api, false, "/model", [false, false]), (.api, false, "/modelsx", [false, false]),
            (.api, true, "/models/", [false, false]), (.api, true, "/models/a", [true, true]),
            (.api, true, "/models/a/b", [true, true]), (.api, true, "/models", [false, false]),
            (.service, false, "/models", [true, false]),
        ]
    )
    func matches(_ place: Route.Place, _ takesRest: Bool, _ path: String, _ expected: [Bool]) {
        let route = Route(.get, takesRest ? "/models/" : "/models", place, rest: takesRest ? .whole : .none) { _, _ in }
        let matches = Array(path.utf8).withUnsafeBytes { path in
            [false, true].map { route.matches(path, isVersioned: $0) }
        }
        #expect(matches == expected)
    }
}
