import Testing

@testable import Engine

@Suite struct MallocTunablesTests {
    @Test(
        "what the operator gave stays, and the rest is added",
        arguments: [
            ("", "glibc.malloc.tcache_count=32"),
            ("glibc.malloc.arena_max=4", "glibc.malloc.arena_max=4:glibc.malloc.tcache_count=32"),
            ("glibc.malloc.tcache_count_=1", "glibc.malloc.tcache_count_=1:glibc.malloc.tcache_count=32"),
            ("glibc.malloc.tcache_count=7", nil),
            ("glibc.malloc.arena_max=4:glibc.malloc.tcache_count=0", nil),
        ]
    )
    func added(given: String, wanted: String?) {
        #expect(MallocTunables.tunables(addedTo: given) == wanted)
    }
}
