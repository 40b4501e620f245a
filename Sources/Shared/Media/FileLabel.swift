/// What a vendor is told of a file: a content type, and a name whose extension fits it, since vendors refuse others.
package struct FileLabel: Sendable, Equatable {
    package let name: String
    package let contentType: String

    package init(name: String, contentType: String) {
        self.name = name
        self.contentType = contentType
    }

    package init(_ name: String, _ type: MediaType) {
        self.init(name: type.fileName(name), contentType: type.rawValue)
    }
}
