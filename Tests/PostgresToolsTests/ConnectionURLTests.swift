import Diagnostics
import Foundation
import PostgresTools
import Testing

@Suite struct ConnectionURLTests {
  @Test(arguments: ["postgresql://u:a%0Ab@h/d", "postgresql://u:a%0Db@h/d", "host=h user=u dbname=d password='a\nb'"])
  func `a password that no password file can hold is refused at once`(url: String) throws {
    let failure = try #require(throws: Failure.self) { try ConnectionURL.parse(Secret(url)) }
    #expect(failure.code == "bad_database_url" && failure.why.contains("line end"))
  }

  @Test(
    arguments: [
      ("postgresql://u:p@h:6/d", ["host": "h", "port": "6", "user": "u", "dbname": "d"], "p"),
      ("postgres://u@h/d", ["host": "h", "port": "5432", "user": "u", "dbname": "d"], nil),
      ("postgresql://u:@h?dbname=d", ["host": "h", "port": "5432", "user": "u", "dbname": "d"], nil),
      ("  postgresql://u:p@h/d\n", ["host": "h", "port": "5432", "user": "u", "dbname": "d"], "p"),
      (
        "postgresql://u%40x:p%3A%2F%40%23%25%20@h/d%2Fe%20f",
        ["host": "h", "port": "5432", "user": "u@x", "dbname": "d/e f"],
        "p:/@#% "
      ),
      ("postgresql://u:a@b@h/d", ["host": "h", "port": "5432", "user": "u", "dbname": "d"], "a@b"),
      ("postgresql://u:p@[::1]:7/d", ["host": "::1", "port": "7", "user": "u", "dbname": "d"], "p"),
      ("postgresql://u:p@a:1,b,c:3/d", ["host": "a,b,c", "port": "1,5432,3", "user": "u", "dbname": "d"], "p"),
      ("postgresql://u:p@h/d?host=/var/run", ["host": "/var/run", "port": "5432", "user": "u", "dbname": "d"], "p"),
      ("postgresql://u:p@%2Fvar%2Frun/d", ["host": "/var/run", "port": "5432", "user": "u", "dbname": "d"], "p"),
      (
        "host=h user=u password='p q' dbname='d e'", ["host": "h", "port": "5432", "user": "u", "dbname": "d e"], "p q"
      ),
      (
        "user=u dbname=d application_name=x client_encoding=LATIN1",
        ["host": "localhost", "port": "5432", "user": "u", "dbname": "d"], nil
      ),
    ] as [(String, [String: String], String?)])
  func `reads where to connect`(url: String, parameters: [String: String], password: String?) throws {
    let target = try ConnectionURL.parse(Secret(url))
    let defaults = [
      "connect_timeout": "5", "keepalives_idle": "60", "keepalives_interval": "10", "keepalives_count": "6",
    ]
    #expect(target.parameters == parameters.merging(defaults) { given, _ in given })
    #expect(target.password?.reveal() == password)
  }

  @Test(arguments: [
    (
      "connection_limit=5&pool_timeout=3&statement_cache_size=0&socket_timeout=9&max_connection_lifetime=1", [:]
    ),
    ("sslmode=require", ["sslmode": "require"]), ("sslmode=verify-full", ["sslmode": "verify-full"]),
    ("sslmode=require&sslcert=ca.pem", ["sslmode": "require"]),
    ("sslmode=require&sslcert=ca.pem&sslaccept=strict", ["sslmode": "verify-full", "sslrootcert": "ca.pem"]),
    ("sslcert=c.pem&sslkey=k.pem", ["sslcert": "c.pem", "sslkey": "k.pem"]),
    ("sslaccept=accept_invalid_certs", [:]), ("connect_timeout=0", ["connect_timeout": "0"]),
    ("channel_binding=require", ["channel_binding": "require"]), ("sslcrldir=x", ["sslcrldir": "x"]),
    ("passfile=/x", [:]),
    ("keepalives_idle=7&keepalives=1", ["keepalives_idle": "7", "keepalives": "1"]),
    ("options=-c%20work_mem%3D1MB", ["options": "-c work_mem=1MB"]), ("application_name=mine", [:]),
    ("sslmode=&host=", [:]),
  ])
  func `translates Prisma's parameters or drops them`(query: String, expected: [String: String]) throws {
    let plain = try ConnectionURL.parse(Secret("postgresql://u:p@h/d"))
    let target = try ConnectionURL.parse(Secret("postgresql://u:p@h/d?\(query)"))
    #expect(
      target.parameters.filter { $0.key != "host" }
        == plain.parameters.filter { $0.key != "host" }.merging(expected) { _, given in given })
  }

  @Test func `parameters of Prisma's pool are of no matter here`() throws {
    let others =
      "sslaccept=accept_invalid_certs&connection_limit=1&pool_timeout=2&socket_timeout=3&application_name=a"
      + "&statement_cache_size=0&uselibpqcompat=true"
    #expect(try ConnectionURL.parse(Secret("postgresql://u:p@h/d?\(others)")).parameters["sslmode"] == nil)
    for query in ["ssl=true", "ssl=true&sslmode="] {
      #expect(try ConnectionURL.parse(Secret("postgresql://u:p@h/d?\(query)")).parameters["sslmode"] == "require")
    }
  }

  @Test func `keeps what Prisma alone needs to know`() throws {
    let target = try ConnectionURL.parse(Secret("postgresql://u:p@h/d?schema=my%20app&pgbouncer=true"))
    #expect(target.schema == "my app")
    #expect(target.namesPooler)
    #expect(target.given.contains("dbname") && !target.given.contains("port"))
    #expect(try ConnectionURL.parse(Secret("postgresql://u@h/d?passfile=/x")).parameters["passfile"] == "/x")
    #expect(try !ConnectionURL.parse(Secret("postgresql://u:p@h/d?pgbouncer=false")).namesPooler)
  }

  @Test(arguments: [
    "", "nonsense", "mysql://u:hunter2@h/d", "prisma://u:hunter2@h", "prisma+postgres://localhost?api_key=hunter2",
    "postgresql://u:hunter2#x@h/d", "postgresql://u:hunter2%@h/d", "postgresql://u:hunter2%zz@h/d",
    "postgresql://u:hunter2@h:0/d", "postgresql://u:hunter2@h:65536/d", "postgresql://u:hunter2@h:x/d",
    "postgresql://u:hunter2/x@h/d", "postgresql://u:hunter2@h/d%00x", "postgresql://u:hunter2%00x@h/d",
    "postgresql://u:hunter2@h/d?sslidentity=x.p12&sslpassword=hunter2", "host=h password=hunter2 bogus=x",
    "host='h password=hunter2",
    "postgresql://u:hunter2@h/d?sslmod=require", "postgresql://u:hunter2@h/d?sslmode=verify_full",
    "postgresql://u:hunter2@h/d?sslaccep=strict", "postgresql://u:hunter2@h/d?ssl_mode=require",
    "postgresql://u:hunter2@h/d?sslaccept=stricct", "host=h password=hunter2 sslmode=verify_full",
    "host=h dbname=d service=hunter2", "host=h dbname=d sslpassword=hunter2", "postgresql:///d?service=hunter2",
    "postgresql://u:hunter2@h", "postgresql://u:hunter2@h/", "postgresql://u:hunter2@h?schema=x", "host=h user=hunter2",
    "postgresql://u:hunter2@h/d?bogus=hunter2", "postgresql://u@h/d?currentSchema=hunter2",
    "postgresql://u:hunter2@h/d?channel_binding=hunter2", "postgresql://u:hunter2@h/d?connect_timeout=hunter2",
    "postgresql://u:hunter2@h/d?ssl=hunter2", "postgresql://u:hunter2@h/d?replication=hunter2",
  ])
  func `refuses what it cannot use, and never shows the URL`(url: String) throws {
    let failure = try #require(throws: Failure.self) { try ConnectionURL.parse(Secret(url)) }
    #expect(failure.code == "bad_database_url")
    #expect(failure.exit == .configuration)
    #expect(!failure.lines.joined().contains("hunter2"))
  }
}
