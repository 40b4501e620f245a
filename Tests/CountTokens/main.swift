import Glibc
import Shared

// count-tokens FILE NAME [ROUNDS]: counts the tokens of samples on standard input by vocabulary NAME (o200k_base,
// cl100k_base, estimate) of the token file FILE, and prints one number per line. A sample is its length in bytes, a
// newline, and its bytes. With ROUNDS it prints instead the shortest time in seconds for all samples over so many
// rounds, and the anonymous memory gained, in KB.

func fail(_ reason: String) -> Never {
    let line = Array("count-tokens: \(reason)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(1)
}

func samples() -> [[UInt8]] {
    var samples: [[UInt8]] = []
    var line = [CChar](repeating: 0, count: 32)
    guard let input = fdopen(STDIN_FILENO, "r") else { fail("no standard input") }
    while fgets(&line, 32, input) != nil {
        var sample = [UInt8](repeating: 0, count: Int(atoi(line)))
        guard fread(&sample, 1, sample.count, input) == sample.count else { fail("a sample is cut") }
        samples.append(sample)
    }
    return samples
}

func counter(_ name: String, _ path: String) -> (UnsafeRawBufferPointer) -> Int {
    if name == "estimate" {
        return { text in
            var estimate = TokenEstimate()
            estimate.add(text)
            return estimate.tokens
        }
    }
    do throws(TokenFile.Failure) {
        let file = try TokenFile(path: path)
        return (name == Vocabulary.Name.cl100k.rawValue ? file.cl100k : file.o200k).count
    } catch {
        fail(error.reason)
    }
}

func anonymousKilobytes() -> Int {
    guard let file = fopen("/proc/self/status", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
        guard strncmp(line, "RssAnon:", 8) == 0 else { continue }
        return line.withUnsafeBufferPointer { Int($0.baseAddress.map { atoi($0 + 8) } ?? 0) }
    }
    return 0
}

let arguments = CommandLine.arguments
guard arguments.count >= 3 else { fail("usage: count-tokens FILE NAME [ROUNDS] < SAMPLES") }
let texts = samples()
let before = anonymousKilobytes()
let count = counter(arguments[2], arguments[1])
if arguments.count > 3, let rounds = Int(arguments[3]) {
    var least = Double.infinity
    for _ in 0..<rounds {
        var begun = timespec()
        var ended = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun)
        for text in texts { _ = text.withUnsafeBytes { count($0) } }
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended)
        let seconds = Double(ended.tv_sec - begun.tv_sec) + Double(ended.tv_nsec - begun.tv_nsec) / 1e9
        least = min(least, seconds)
    }
    print(least, anonymousKilobytes() - before)
} else {
    for text in texts { print(text.withUnsafeBytes { count($0) }) }
}
