import Diagnostics
import Testing

@Suite struct PathPartsTests {
  @Test(arguments: [
    ("x", "", "x"), ("", "", ""), ("/", "", ""), ("//", "", ""), ("/x", "/", "x"), ("x/", "", "x"), ("x/y", "x", "y"),
    ("/x/y/", "/x", "y"),
    ("/srv//x", "/srv", "x"), ("../x", "..", "x"), ("é/ü", "é", "ü"), ("a/\u{301}b", "a", "\u{301}b"),
  ])
  func `a path has a folder and a name`(path: String, folder: String, name: String) {
    #expect(parent(of: path).utf8.elementsEqual(folder.utf8))
    #expect(lastName(of: path).utf8.elementsEqual(name.utf8))
  }
}
