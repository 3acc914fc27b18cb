import Planning
import Testing

@Suite struct CronExpressionTests {
  @Test(arguments: [
    "* * * * *", "15 2 * * *", "0 5 * * 0", "0 5 * * 7", "*/15 * * * *", "0-30/10 1,2,3 1-15 jan-mar,DEC mon-fri",
    "0 0 29 feb *", "0 0 31 2 mon", "59 23 31 12 6", "0\t0  1 1 *", " 0 0 * * * ", "*/90 * * * *", "0 0 * * sun,Sat",
    "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@Daily",
    "*/9223372036854775807 * * * *", "0 0 30,31 2,4 *",
  ])
  func `well formed`(text: String) throws {
    #expect(try CronExpression(text).text == text)
  }

  @Test(arguments: [
    ("", "it has 0 fields and needs five: minute, hour, day of month, month, day of week"),
    ("0 0 * *", "it has 4 fields and needs five: minute, hour, day of month, month, day of week"),
    ("0 0 0 * * *", "it has 6 fields and needs five: minute, hour, day of month, month, day of week"),
    ("60 * * * *", "minute: 60 is not between 0 and 59"), ("* 24 * * *", "hour: 24 is not between 0 and 23"),
    ("* * 0 * *", "day of month: 0 is not between 1 and 31"), ("* * * 13 *", "month: 13 is not between 1 and 12"),
    ("* * * * 8", "day of week: 8 is not between 0 and 7"), ("-1 * * * *", "minute: a value is missing"),
    ("+5 * * * *", "minute: '+5' is no value of this field"), ("1, * * * *", "minute: a value is missing"),
    ("1-2-3 * * * *", "minute: '2-3' is no value of this field"),
    ("5/10 * * * *", "minute: a step needs * or a range before it, such as 5-59/10"),
    ("*/0 * * * *", "minute: the step after / must be a number above 0"),
    ("*/ * * * *", "minute: the step after / must be a number above 0"),
    ("*/x * * * *", "minute: the step after / must be a number above 0"),
    ("/5 * * * *", "minute: a value is missing"),
    ("*/5/5 * * * *", "minute: the step after / must be a number above 0"),
    ("* 22-4 * * *", "hour: 22-4 ends before it begins; write two ranges with a comma between them"),
    ("* * * * fri-sun", "day of week: fri-sun ends before it begins; write two ranges with a comma between them"),
    ("mon * * * *", "minute: 'mon' is no value of this field"), ("* * * * L", "day of week: 'l' is no value"),
    ("? * * * *", "minute: '?' is no value of this field"), ("** * * * *", "minute: '**' is no value of this field"),
    ("99999999999999999999 * * * *", "minute: '99999999999999999999' is no value of this field"),
    ("٣ * * * *", "minute: '٣' is no value of this field"),
    ("0 0 31 2 *", "no month has that day, so that it would never run"),
    ("0 0 31 4,jun *", "no month has that day, so that it would never run"),
    ("@reboot", "'@reboot' is none of @annually, @daily, "), ("@", "'@' is none of @annually, "),
    ("@daily 5", "nothing may follow @daily"),
  ])
  func `malformed, with the reason`(text: String, reason: String) throws {
    let error = try #require(throws: CronExpression.Malformed.self) { try CronExpression(text) }
    #expect(error.reason.hasPrefix(reason), "\(error.reason)")
  }
}
