import Shared
import Testing

@testable import Routes
@testable import Upstream

@Suite struct FormFieldsTests {
    private let fields = FormFields([
        ("n", "2"), ("n", "3"), ("empty", ""), ("word", "two"), ("yes", "True"), ("no", "0"),
        ("large", "99999999999999999999"),
    ])

    @Test("texts become what they are to be, and what is empty is absent")
    func reads() throws {
        #expect(try fields.integer("n", 1...10) == 2 && fields.string("word") == "two")
        #expect(try fields.flag("yes") == true && fields.flag("no") == false)
        #expect(try fields.string("empty") == nil && fields.integer("empty", 1...2) == nil && fields.flag("odd") == nil)
        #expect(try fields.choice("word", ["one", "two"]) == "two")
    }

    @Test("what cannot become that is the caller's fault")
    func refuses() {
        #expect(throws: APIError.self) { try fields.integer("word", 1...10) }
        #expect(throws: APIError.self) { try fields.integer("large", 1...10) }
        #expect(throws: APIError.self) { try fields.integer("n", 3...10) }
        #expect(throws: APIError.self) { try fields.integer("n", 0...1) }
        #expect(throws: APIError.self) { try fields.flag("word") }
        #expect(throws: APIError.self) { try fields.choice("word", ["one"]) }
    }
}
