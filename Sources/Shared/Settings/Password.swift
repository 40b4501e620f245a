/// A check that a password is not too short, too long or too common.
enum Password {
    static let minCharacters = 8
    static let maxCharacters = 512

    /// Returns whether a password has an allowed length and characters, and is not a common one.
    static func isGood(_ text: String) -> Bool {
        let scalars = text.unicodeScalars
        guard (minCharacters...maxCharacters).contains(scalars.count) else { return false }
        guard !scalars.contains(where: { $0.value < 32 || $0.value == 127 }) else { return false }
        return Set(scalars).count > 2 && !common.contains(text.lowercased())
    }

    private static let common: Set<String> = [
        "password", "password1", "password12", "password123", "password1234", "passw0rd", "p@ssw0rd", "p@ssword",
        "12345678", "123456789", "1234567890", "0123456789", "87654321", "987654321", "12341234", "123123123",
        "qwertyui", "qwertyuiop", "qwerty12", "qwerty123", "qwertz123", "1q2w3e4r", "1q2w3e4r5t", "1qaz2wsx",
        "asdfghjk", "asdfghjkl", "abcdefgh", "abcd1234", "abc12345", "a1b2c3d4", "iloveyou", "sunshine", "princess",
        "football", "baseball", "superman", "starwars", "trustno1", "whatever", "computer", "internet", "welcome1",
        "welcome123", "letmein1", "letmein123", "changeme", "changeme1", "changeme123", "change-me", "change_me",
        "changeit", "default1", "administrator", "adminadmin", "admin123", "admin1234", "admin12345", "admin-password",
        "adminpassword", "root1234", "rootroot", "secret12", "secret123", "test1234", "testtest", "example1",
        "your-password", "yourpassword", "mypassword", "temporary",
    ]
}
