import Engine
import Glibc
import Testing

@testable import Routes

/// Tests that `docs/admin-api.md` matches the table of the operator's paths.
@Suite struct AdminReferenceTests {
    private static let path =
        #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined() + "/docs/admin-api.md"

    private static let introduction = """
        # The operator's API

        This page lists all paths below `/admin`, for programs that operate a relay. The relay's own admin page uses the same paths. They exist only with `ADMIN_PASSWORD`, and with
        `ADMIN_LISTEN` only on that socket; see [operating](operating.md#the-operators-side). This page is made from the relay's table of paths:
        `UPDATE_EXAMPLE=1 swift test --filter AdminReferenceTests`.

        | mark | the request needs |
        |---|---|
        | none | a session: `Authorization: Bearer <token>`, or the cookie `token` that the login sets; else 401 |
        | *open* | nothing |
        | *changes* | a session; with the cookie also an `Origin` of the relay (that of `Host`, or of `PUBLIC_URL`), else 403. Each change is logged as `event=admin` |

        Lists are `{"items":[...],"total":n}`, single objects `{"status":0,"msg":"","data":...}`. Each response has the name of the `instance` that sent it; figures of the process are
        those of that instance. Errors are `{"status":1,"msg":"..."}`. GET has its parameters in the query, POST in a JSON object; an unknown or invalid parameter is a 400. If
        a query of records was cut off after a second, the response has `"partial":true`. Each path has one spelling: without escapes, capitals, or a slash at the end.


        """

    private static var reference: String {
        introduction + AdminRoute.all.map(\.section).joined(separator: "\n")
    }

    @Test("the page in the repository is the table's; UPDATE_EXAMPLE=1 writes it")
    func isCurrent() throws {
        if getenv("UPDATE_EXAMPLE") != nil {
            let file = try #require(fopen(Self.path, "w"))
            fputs(Self.reference, file)
            fclose(file)
        }
        let kept = try #require(WholeFile.read(Self.path, limitBytes: 1 << 20))
        #expect(String(decoding: kept, as: UTF8.self) == Self.reference)
    }

    @Test("whatever changes something needs a page of the relay's own, and reading changes nothing")
    func access() {
        for route in AdminRoute.all where route.path != "/admin/login" {
            #expect((route.access == .writer) == (route.method != .get), "\(route.path)")
        }
        #expect(
            AdminRoute.all.filter { $0.access == .everybody }.map(\.path) == [
                "/admin", "/admin/login", "/admin/logout",
            ]
        )
    }

    @Test("no two routes take one request")
    func areDistinct() {
        for (index, route) in AdminRoute.all.enumerated() {
            let parts = AdminRoute.parts(route.path)
            for other in AdminRoute.all[..<index] where other.method == route.method {
                #expect(other.values(in: parts) == nil, "\(route.path)")
            }
        }
    }
}

extension AdminRoute {
    fileprivate var section: String {
        let mark =
            switch access {
            case .everybody: " *open*"
            case .reader: ""
            case .writer: " *changes*"
            }
        var text = "## \(method.name) `\(path)`\(mark)\n\(summary)\n"
        if !fields.isEmpty {
            text += "\n| parameter | meaning |\n|---|---|\n"
            text += fields.map { "| \($0.name) | \($0.meaning) |\n" }.joined()
        }
        return text + "\n```text\n\(response)\n```\n"
    }
}
