import Engine
import Testing

@testable import Routes

@Suite struct RouteTests {
    @Test(
        "a route is found by its path, under /v1 and without as its kind says",
        arguments: [
            (Route.PathKind.api, false, "/models", [true, true]), (.api, false, "/models/", [false, false]),
            (.api, false, "/model", [false, false]), (.api, false, "/modelsx", [false, false]),
            (.api, true, "/models/", [false, false]), (.api, true, "/models/a", [true, true]),
            (.api, true, "/models/a/b", [true, true]), (.api, true, "/models", [false, false]),
            (.service, false, "/models", [true, false]),
        ]
    )
    func matches(_ pathKind: Route.PathKind, _ takesRest: Bool, _ path: String, _ expected: [Bool]) {
        let route = Route(
            .get,
            takesRest ? "/models/" : "/models",
            pathKind: pathKind,
            rest: takesRest ? .whole : .none
        ) {
            _,
            _ in
        }
        let matches = Array(path.utf8).withUnsafeBytes { path in
            [false, true].map { route.matches(path, isVersioned: $0) }
        }
        #expect(matches == expected)
    }

    @Test(
        "an id stands between a route's path and its ending",
        arguments: [
            ("/files/a/content", "a"), ("/files/a/b/content", "a/b"), ("/files/content/content", "content"),
            ("/files/content", nil), ("/files/a/contents", nil), ("/files/a", nil), ("/filesa/content", nil),
        ] as [(String, String?)]
    )
    func namesAnID(_ path: String, _ expected: String?) {
        let route = Route(.get, "/files/", pathKind: .api, rest: .endingIn("/content")) { _, _ in }
        Array(path.utf8).withUnsafeBytes { path in
            let isMatch = route.matches(path, isVersioned: true)
            #expect((isMatch ? route.rest(of: path)?.text : nil) == expected)
        }
    }
}
