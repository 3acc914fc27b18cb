import Diagnostics
import Foundation
import StreamPipeline
import Testing

@Suite struct HandOverTests {
  @Test func `everything comes over in order, however the two keep pace`() throws {
    for (slowPut, slowTake) in [(false, false), (true, false), (false, true)] {
      var taken: [UInt8] = []
      try handOver(
        from: { (put) throws(Failure) in
          for number in 0..<50 {
            if slowPut { usleep(500) }
            try [UInt8](repeating: UInt8(number), count: number).withBytes(put)
          }
        },
        to: { (piece) throws(Failure) in
          if slowTake { usleep(500) }
          taken += piece
        })
      #expect(taken == (0..<50).flatMap { [UInt8](repeating: UInt8($0), count: $0) })
    }
  }

  @Test func `a failure of the producer comes after what it had put`() throws {
    var taken = 0
    let failure = try #require(throws: Failure.self) {
      try handOver(
        from: { (put) throws(Failure) in
          for _ in 0..<3 { try ([1] as [UInt8]).withBytes(put) }
          throw Failure("damaged_stream", exit: .dataDamaged, what: "reading", why: "test", nextStep: "none")
        }, to: { taken += $0.count })
    }
    #expect(failure.code == "damaged_stream")
    #expect(taken == 3)
  }

  @Test func `a failure of the consumer ends the producer, before the call returns`() throws {
    let count = Counter()
    let failure = try #require(throws: Failure.self) {
      try handOver(
        from: { (put) throws(Failure) in
          while true {
            try ([1] as [UInt8]).withBytes(put)
            count.add(1)
          }
        },
        to: { _ throws(Failure) in
          throw Failure("dump_cut_short", exit: .dataDamaged, what: "reading", why: "test", nextStep: "none")
        })
    }
    #expect(failure.code == "dump_cut_short")
    let after = count.value
    usleep(20_000)
    #expect(count.value == after)
    #expect(after < 10)
  }
}
