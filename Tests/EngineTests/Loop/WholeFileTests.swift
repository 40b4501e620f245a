import Engine
import Glibc
import Testing

@Suite struct WholeFileTests {
    private func inFolder(_ body: (String) -> Void) {
        var path = Array("/tmp/relay-files.XXXXXX".utf8CString)
        #expect(mkdtemp(&path) != nil)
        let folder = String(decoding: path.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        body(folder)
        for name in ["file", "new", "link"] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }

    @Test("a pipe or a folder is no file, and does not block")
    func pipes() {
        inFolder { folder in
            #expect(mkfifo("\(folder)/file", 0o600) == 0 && mkfifo("\(folder)/new", 0o600) == 0)
            #expect(WholeFile.read("\(folder)/file", limitBytes: 100) == nil)
            #expect(!WholeFile.write([1], to: "\(folder)/file", by: "\(folder)/new"))
            #expect(WholeFile.read(folder, limitBytes: 1 << 20) == nil)
        }
    }

    @Test("a file belongs to the relay's user only, also where an unfinished one did not, and may be a link")
    func permissions() {
        inFolder { folder in
            let (file, new) = ("\(folder)/file", "\(folder)/new")
            close(open(new, O_WRONLY | O_CREAT, 0o666))
            chmod(new, 0o666)
            #expect(WholeFile.write([1, 2], to: file, by: new))
            var status = stat()
            #expect(stat(file, &status) == 0 && status.st_mode & 0o777 == 0o600)
            #expect(symlink(file, "\(folder)/link") == 0)
            #expect(WholeFile.read("\(folder)/link", limitBytes: 2) == [1, 2])
            #expect(WholeFile.read(file, limitBytes: 1) == nil)
        }
    }
}
