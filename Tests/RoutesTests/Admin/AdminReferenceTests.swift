import Engine
import Shared
import Testing
import UsageRecords

@testable import Routes

/// Tests that `docs/admin-api.md` matches the table of the operator's paths.
@Suite struct AdminReferenceTests {
    private static let path =
        #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined() + "/docs/admin-api.md"

    private let page: String

    init() throws {
        page = String(decoding: try #require(WholeFile.read(Self.path, limitBytes: 1 << 20)), as: UTF8.self)
    }

    @Test("the page describes each route, in the order of the table, and no other")
    func isComplete() {
        let sections = page.split(separator: "\n## ", omittingEmptySubsequences: false).dropFirst()
        #expect(sections.map { $0.prefix { $0 != "\n" } } == AdminRoute.all.map { $0.heading[...] })
        for section in sections {
            #expect(section.contains("\n\n```text\n") && section.hasSuffix("\n```\n"), "\(section)")
        }
    }

    @Test("the page lists all orders of records")
    func orders() {
        let orders = RecordOrder.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", ")
        #expect(page.contains("| order_by | \(orders) |"))
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
    fileprivate var heading: String {
        let mark =
            switch access {
            case .everybody: " *open*"
            case .reader: ""
            case .writer: " *changes*"
            }
        return "\(method.name) `\(path)`\(mark)"
    }
}
